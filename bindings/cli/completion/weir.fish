# fish completion of weir

set -l verbs check explain count encodings hash-key report state cache version help
complete -c weir -n "not __fish_seen_subcommand_from $verbs" -f -a "$verbs"

complete -c weir -n "__fish_seen_subcommand_from check" -l strict -d "warnings are faults"
complete -c weir -n "__fish_seen_subcommand_from check" -l quiet -d "no warnings"

for option in request target method header key answer
    complete -c weir -n "__fish_seen_subcommand_from explain" -r -l $option
end

for option in model encoding tokenizer pattern file text limit request dialect operation
    complete -c weir -n "__fish_seen_subcommand_from count" -r -l $option
end
for option in ids special decode parts jsonl list
    complete -c weir -n "__fish_seen_subcommand_from count" -l $option
end

complete -c weir -n "__fish_seen_subcommand_from hash-key" -r -l pepper
complete -c weir -n "__fish_seen_subcommand_from state cache" -r -l top
complete -c weir -n "__fish_seen_subcommand_from report" -x -l by \
    -a "consumer team app model backend route day month"
complete -c weir -n "__fish_seen_subcommand_from report" -x -l since
complete -c weir -n "__fish_seen_subcommand_from report" -x -l until
complete -c weir -n "__fish_seen_subcommand_from report" -r -l sqlite
for option in csv html unique recompute
    complete -c weir -n "__fish_seen_subcommand_from report" -l $option
end
complete -c weir -n "__fish_seen_subcommand_from check explain count encodings report" -l json
complete -c weir -n "__fish_seen_subcommand_from state cache" -l json
complete -c weir -n "__fish_seen_subcommand_from check explain count encodings" -l help
complete -c weir -n "__fish_seen_subcommand_from hash-key report state cache" -l help
