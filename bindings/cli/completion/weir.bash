# bash completion of weir

_weir() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
  local options=
  case $verb in
    check) options="--strict --quiet --json --help" ;;
    explain)
      options="--request --target --method --header --key --answer --json --help"
      ;;
    count)
      options="--model --encoding --tokenizer --pattern --file --text --ids --special --limit
        --decode --request --dialect --operation --parts --jsonl --list --json --help"
      ;;
    encodings) options="--json --help" ;;
    hash-key) options="--pepper --help" ;;
    report)
      options="--by --since --until --csv --json --html --sqlite --unique --recompute --help"
      ;;
    state) options="--top --json --help" ;;
    cache) options="--top --json --help" ;;
  esac
  if ((COMP_CWORD == 1)); then
    options="check explain count encodings hash-key report state cache version help"
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    return
  fi
  case $before in
    --encoding | --model)
      options=$(weir encodings 2>/dev/null | tr -s ' ,' '\n')
      mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
      return
      ;;
    --by)
      options="consumer team app model served backend route operation outcome status month day hour"
      mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
      return
      ;;
    --dialect)
      mapfile -t COMPREPLY < <(compgen -W "openai azure-openai anthropic gemini bedrock" -- "$word")
      return
      ;;
    --operation)
      mapfile -t COMPREPLY < <(compgen -W "chat responses completions embeddings" -- "$word")
      return
      ;;
  esac
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}

complete -o filenames -F _weir weir
