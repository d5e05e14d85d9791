#!/usr/bin/env bash
# A walk through weir with real requests: two simulated providers and a gateway that embeds weir, on
# this machine's loopback. Installs what is missing, builds, shows ten steps with their figures,
# and checks each: exits non-zero when one is not so. Less than two minutes after the build.
#
#   examples/demo.sh
#
# Logs, the access log and the policy in force stay in build/demo.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tests/support/setup.sh"

bin=$root/build/release/bin
work=$root/build/demo
policy=$root/examples/policies/demo.json

# Virtual keys of the policy's consumers; the policy holds their hashes alone.
red=demo-key-red-5f0c2a9e7b13
blue=demo-key-blue-91d4e6c80a27
green=demo-key-green-c3b87f15de42
ptu_key=demo-provider-key-ptu
payg_key=demo-provider-key-payg

# ---- Telling and checking ----

checks=0
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
say() { printf '   %s\n' "$*"; }

ok() {
  checks=$((checks + 1))
  printf '   \033[32mok\033[0m   %s\n' "$*"
}

fail() {
  printf '   \033[31mFAIL\033[0m %s\n' "$*"
  say "see $work"
  exit 1
}

# equal WHAT ACTUAL EXPECTED
equal() {
  if [[ $2 == "$3" ]]; then ok "$1: $2"; else fail "$1: $2, expected $3"; fi
}

# between WHAT ACTUAL LEAST MOST
between() {
  if (($2 >= $3 && $2 <= $4)); then ok "$1: $2"; else fail "$1: $2, expected $3 to $4"; fi
}

# ---- Processes ----

declare -A pid_of=()

stop_all() {
  trap - EXIT
  local pid
  for pid in "${pid_of[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${pid_of[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap stop_all EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND…: in the background, until it says which port it listens on; sets `port`.
start() {
  local name=$1
  shift
  : >"$work/$name.log"
  "$@" >"$work/$name.log" 2>&1 &
  pid_of[$name]=$!
  for _ in {1..100}; do
    port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$work/$name.log")
    if [[ -n $port ]]; then return; fi
    kill -0 "${pid_of[$name]}" 2>/dev/null || break
    sleep 0.05
  done
  cat "$work/$name.log" >&2
  fail "$name does not start"
}

# start_ptu PORT: 300 tokens in 5 seconds is a small provisioned deployment.
ptu_quota=300
start_ptu() {
  start ptu "$bin/weir_upstream" --key "$ptu_key" --port "$1" --dialect azure-openai \
    --tpm "$ptu_quota" --window 5 --answer-tokens 200
}

start_payg() {
  start payg "$bin/weir_upstream" --key "$payg_key" --port "$1" --answer-tokens 200
}

# start_gateway PORT: the same again after a kill, so that an open live page goes on.
start_gateway() {
  start gateway "$bin/weir_gateway" --policy "$work/policy.json" --listen "127.0.0.1:$1" \
    --state "$work/gateway.state" --access-log "$work/access.log"
  gateway=http://127.0.0.1:$port
}

restart_gateway() {
  kill -KILL "${pid_of[gateway]}"
  wait "${pid_of[gateway]}" 2>/dev/null || true
  start_gateway "${gateway##*:}"
}

# ---- Requests ----

# ask KEY JSON [curl options]: sets `status`; the head is in head.txt, the body in body.txt.
ask() {
  local key=$1 body=$2
  shift 2
  status=$(curl -sS -o "$work/body.txt" -D "$work/head.txt" -w '%{http_code}' \
    -H "authorization: Bearer $key" -H 'content-type: application/json' \
    "$@" -d "$body" "$gateway$prefix/v1/chat/completions" 2>"$work/curl.txt") || true
}
prefix= # of the route's path

# chat MAX_TOKENS [MEMBERS]: a request body, with further members (", "stream": true").
chat() {
  printf '{"model": "gpt-4o", "max_tokens": %s%s, "messages": [%s, %s]}' "$1" "${2:-}" \
    '{"role": "system", "content": "You are a patient lock keeper."}' \
    '{"role": "user", "content": "How does a weir hold a river back, and why let it pass at all?"}'
}

# header NAME: of the last answer.
header() {
  tr -d '\r' <"$work/head.txt" | sed -n "s/^$1: //Ip" | tail -n 1
}

# field NAME: the first number called so in the JSON on standard input.
field() {
  grep -o "\"$1\": *[0-9]*" | head -n 1 | grep -o '[0-9]*$' || echo none
}

usage() { field "$1" <"$work/body.txt"; }
stats() { curl -sS "$1/_stats" | field "$2"; }

# metric PATTERN: the sum of all series of the gateway's metrics that match.
metric() {
  curl -sS "$gateway/metrics" |
    awk -v pattern="$1" '$0 ~ pattern { sum += $NF } END { print sum + 0 }'
}

breaker() {
  curl -sS "$gateway/healthz" |
    sed -n "s/.*\"backend\":\"$1\",\"breaker\":\"\([a-z_]*\)\".*/\1/p"
}

nap_ms() { sleep "$(awk -v ms="$1" 'BEGIN { print ms / 1000 }')"; }

# What the providers billed, all told; a provider that is about to be killed is asked first.
lost_input=0
lost_output=0
billed_input() {
  echo $((lost_input + $(stats "$ptu" billed_prompt_tokens) + \
          $(stats "$payg" billed_prompt_tokens)))
}
billed_output() {
  echo $((lost_output + $(stats "$ptu" billed_completion_tokens) + \
          $(stats "$payg" billed_completion_tokens)))
}

refusals=0

# ---- The steps ----

set_up() {
  step "Set-up"
  weir_install_dependencies
  weir_build release --target weir_gateway --target weir_upstream
  mkdir -p "$work"
  rm -f "$work"/*

  start_ptu 0
  ptu=http://127.0.0.1:$port
  start_payg 0
  payg=http://127.0.0.1:$port
  sed -e "s#http://127.0.0.1:9101#$ptu#" -e "s#http://127.0.0.1:9102#$payg#" \
    "$policy" >"$work/policy.json"
  "$bin/weir_gateway" --check "$work/policy.json" || fail "the policy has faults"
  export PTU_KEY=$ptu_key PAYG_AUTHORIZATION="Bearer $payg_key"
  start_gateway 0
  say "provisioned backend (ptu), Azure dialect, 300 tokens in 5 s:  $ptu"
  say "pay-as-you-go backend (payg), OpenAI dialect:                 $payg"
  say "gateway; each team may use 900 tokens in 10 s:                $gateway"
  say "what happens, live, while this runs:                          $gateway/weir"
  say "access log:                                                   $work/access.log"
}

exact_tokens() {
  step "1. A request is admitted, and its tokens are exact"
  ask "$red" "$(chat 20)"
  equal "status" "$status" 200
  local used remaining log
  used=$(($(usage prompt_tokens) + $(usage completion_tokens)))
  remaining=$(header x-ratelimit-remaining-tokens)
  log=$(tail -n 1 "$work/access.log")
  say "the provider bills $(usage prompt_tokens) prompt and $(usage completion_tokens)" \
    "completion tokens; weir counted the prompt before the provider saw it"
  equal "prompt tokens that weir counted" \
    "$(sed 's/.*"prompt_tokens":\({[^}]*}\).*/\1/' <<<"$log" | field count)" \
    "$(stats "$ptu" last_prompt_tokens)"
  equal "of 900 tokens remain" "$remaining" $((900 - used))
  equal "the backend" "$(header x-weir-backend)" ptu
  ask no-such-key "$(chat 20)"
  equal "a key that is nobody's gets" "$status" 401
}

used_up() {
  step "2. A team that has used up its tokens is told how long to wait, and that is true"
  local sent=0
  while ask "$red" "$(chat 200)" && [[ $status == 200 ]]; do
    sent=$((sent + 1))
    say "request $sent: 200 from $(header x-weir-backend)," \
      "$(header x-ratelimit-remaining-tokens) tokens remain"
    if ((sent > 8)); then fail "the limit never holds"; fi
  done
  refusals=$((refusals + 1))
  equal "request $((sent + 1))" "$status" 429
  between "requests of some 230 tokens that fit into 900" "$sent" 3 4
  local wait_ms asked_at
  wait_ms=$(header retry-after-ms)
  asked_at=$(date +%s%3N)
  # A window, and the tenth of it that is forgotten at once.
  between "retry-after-ms" "$wait_ms" 1 11000
  between "retry-after, in whole seconds" "$(header retry-after)" \
    $(((wait_ms + 999) / 1000)) $(((wait_ms + 999) / 1000))

  step "3. Another team is not affected"
  ask "$blue" "$(chat 20)"
  equal "team-blue, at the same time" "$status" 200
  equal "its own tokens that remain" "$(header x-ratelimit-remaining-tokens)" \
    $((900 - $(usage prompt_tokens) - $(usage completion_tokens)))

  step "   … and team-red waits as long as it was told"
  local early_ms=$((wait_ms - 1000 - $(date +%s%3N) + asked_at))
  if ((early_ms > 0)); then
    nap_ms "$early_ms"
    ask "$red" "$(chat 200)"
    refusals=$((refusals + 1))
    equal "a second too early" "$status" 429
  fi
  local left_ms=$((wait_ms - $(date +%s%3N) + asked_at))
  if ((left_ms > 0)); then nap_ms "$left_ms"; fi
  ask "$red" "$(chat 200)"
  equal "after $wait_ms ms, the same request" "$status" 200
}

# Until the breaker of a backend is no longer open; a probe may then pass.
await_probe() {
  for _ in {1..120}; do
    if [[ $(breaker "$1") != open ]]; then return; fi
    sleep 0.1
  done
  fail "the breaker of $1 never lets a probe pass"
}

spill_over() {
  step "4. A throttled provisioned backend spills over to pay-as-you-go, and comes back"
  sleep 5 # the quota that step 2 used at the provider slides out of its window
  await_probe ptu
  local first
  ask "$green" "$(chat 80)"
  first=$(header x-weir-backend)
  say "request 1: $status from $first"
  equal "the backend while there is quota" "$first" ptu
  local request spilled=0
  for request in 2 3 4; do
    ask "$green" "$(chat 80)"
    say "request $request: $status from $(header x-weir-backend)," \
      "attempts: $(header x-weir-attempts)"
    equal "status" "$status" 200
    if [[ $(header x-weir-backend) == payg && $(header x-weir-attempts) == 2 ]]; then
      spilled=$((spilled + 1))
      break
    fi
  done
  equal "requests that ptu throttled and payg answered" "$spilled" 1
  equal "ptu's breaker" "$(breaker ptu)" open
  ask "$green" "$(chat 20)"
  equal "the next one goes to" "$(header x-weir-backend)" payg
  equal "at once; attempts" "$(header x-weir-attempts)" 1
  local throttled
  throttled=$(stats "$ptu" throttled)
  say "waiting for as long as ptu's own retry-after asked for"
  await_probe ptu
  ask "$green" "$(chat 20)"
  equal "then requests go to" "$(header x-weir-backend)" ptu
  equal "its breaker" "$(breaker ptu)" closed
  equal "requests that ptu had to refuse meanwhile" \
    "$(($(stats "$ptu" throttled) - throttled))" 0
}

dead_backend() {
  step "5. A dead backend is left alone, and recovers"
  lost_input=$(stats "$ptu" billed_prompt_tokens)
  lost_output=$(stats "$ptu" billed_completion_tokens)
  say "kill -9 of ptu"
  kill -KILL "${pid_of[ptu]}"
  wait "${pid_of[ptu]}" 2>/dev/null || true
  unset "pid_of[ptu]"
  local request
  for request in 1 2; do
    ask "$blue" "$(chat 20)"
    equal "request $request is answered by" "$status $(header x-weir-backend)" "200 payg"
    equal "after so many attempts" "$(header x-weir-attempts)" 2
  done
  equal "ptu's breaker" "$(breaker ptu)" open
  ask "$blue" "$(chat 20)"
  equal "request 3 does not try ptu; attempts" "$(header x-weir-attempts)" 1
  start_ptu "${ptu##*:}"
  say "ptu is started again"
  await_probe ptu
  ask "$blue" "$(chat 20)"
  equal "the probe is answered by" "$(header x-weir-backend)" ptu
  equal "ptu's breaker" "$(breaker ptu)" closed
}

streams() {
  step "6. A stream is settled from its usage, or from its counted text when the client hangs up"
  local provider='weir_tokens_total.*"output",provenance="provider"'
  local estimated='weir_tokens_total.*"output",provenance="estimated"'
  local before
  before=$(metric "$provider")
  ask "$green" "$(chat 30 ', "stream": true')" -N
  equal "status" "$status" 200
  between "events" "$(grep -c '^data: ' "$work/body.txt")" 30 40
  equal "the end" "$(grep '^data: ' "$work/body.txt" | tail -n 1)" "data: [DONE]"
  if grep -q '"prompt_tokens"' "$work/body.txt"; then
    fail "the client sees usage that it never asked for"
  fi
  ok "the client did not ask for usage and sees none; weir asked, and took it out"
  equal "completion tokens settled from the provider's usage" \
    $(($(metric "$provider") - before)) "$(stats "$ptu" last_completion_tokens)"

  before=$(metric "$estimated")
  say "a second stream falls silent after 12 pieces; its client hangs up"
  ask "$green" "$(chat 30 ', "stream": true')" -N --max-time 1 -H 'x-upstream-fault: stall=12'
  sleep 0.3
  equal "pieces that arrived" "$(grep -o '"delta":{"content":"[^"]' "$work/body.txt" | wc -l)" 12
  equal "completion tokens settled from the counted text" \
    $(($(metric "$estimated") - before)) "$(stats "$ptu" last_completion_tokens)"
  equal "how the access log calls it" \
    "$(tail -n 1 "$work/access.log" | sed 's/.*"ended":"\([a-z_]*\)".*/\1/')" client_left
}

metrics_agree() {
  step "7. The metrics say the same"
  local usage='^gen_ai_client_token_usage_sum.*gen_ai_token_type'
  equal "prompt tokens: metrics, and what the providers billed" \
    "$(metric "$usage=\"input\"")" "$(billed_input)"
  equal "completion tokens: metrics, and what the providers billed" \
    "$(metric "$usage=\"output\"")" "$(billed_output)"
  equal "requests refused for tokens: metrics, and what was answered 429" \
    "$(metric 'weir_limit_decisions_total.*"tokens-per-consumer",decision="refused"')" \
    "$refusals"
  local log_lines
  log_lines=$(wc -l <"$work/access.log")
  equal "requests: metrics, and lines of the access log" \
    "$(metric '^weir_requests_total')" "$log_lines"
  if grep -q -e "$red" -e "$blue" -e "$green" -e "$ptu_key" -e "$payg_key" "$work/access.log"; then
    fail "a key is in the access log"
  fi
  ok "no key of anybody is in the access log"
}

budget() {
  step "8. A team's budget of a month, in US dollars, survives a gateway that is killed"
  local body spent=0 request message
  body=$(chat 150)
  body=${body/gpt-4o/gpt-4o-premium}
  for request in 1 2 3; do
    if ((request == 3)); then
      say "kill -9 of the gateway; it is started again with the same state file"
      restart_gateway
    fi
    ask "$blue" "$body"
    equal "request $request" "$status" 200
    spent=$((spent + $(usage prompt_tokens) * 250 + $(usage completion_tokens) * 1000))
  done
  ask "$blue" "$body"
  equal "request 4, of a team that has spent its 0.40 dollars" "$status" 403
  message=$(sed 's/.*"message": *"\([^"]*\)".*/\1/' "$work/body.txt")
  say "$message"
  # A few requests of the steps before cost this team some hundredths of a cent.
  local told
  told=$(sed 's/.*Used 0\.\([0-9]*\).*/\1/' <<<"$message")
  while ((${#told} < 6)); do told=${told}0; done
  between "micro-dollars that it spent, by the provider's bill at the policy's prices" \
    "$((10#$told))" "$spent" $((spent + 10000))
  ask "$red" "$(chat 20)"
  equal "another team" "$status" 200
}

# faq KEY QUESTION: on the route that keeps answers; sets `cache`, what was said of it.
faq() {
  ask "$1" '{"model": "gpt-4o", "max_tokens": 400, "messages":
    [{"role": "user", "content": "'"$2"'"}]}'
  cache=$(header x-weir-cache)
  say "\"$2\": $status, ${cache:-no word of the cache}"
}

# explained NAME: of the look-up in the cache, as the access log has it.
explained() {
  tail -n 1 "$work/access.log" | sed 's/.*"cache":{\([^}]*\)}.*/\1/' |
    sed -n "s/.*\"$1\":\"\([a-z_]*\)\".*/\1/p"
}

cached_answers() {
  step "9. An answer is given again to who asks the same in other words, and to nobody else"
  prefix=/faq
  local asked_before
  faq "$red" "How do I reset my password?"
  equal "status" "$status" 200
  asked_before=$(stats "$ptu" requests)+$(stats "$payg" requests)
  faq "$red" "How can I reset my password?"
  equal "the same in other words" "$(explained result)" semantic_hit
  equal "requests to the providers meanwhile" \
    "$(($(stats "$ptu" requests) + $(stats "$payg" requests) - (asked_before)))" 0
  faq "$red" "How do I enable the alarm?"
  faq "$red" "How do I disable the alarm?"
  equal "the opposite, nearly the same words" "$(explained result)" miss
  equal "why" "$(explained reason), $(explained guard)" "guard, opposites"
  faq "$blue" "How do I reset my password?"
  equal "another team, the very same words" "$(explained result)" miss
  say "kill -9 of the gateway; it is started again with the same state file"
  restart_gateway
  faq "$red" "How do I reset my password?"
  equal "the first question, after that" "$(explained result)" hit
  prefix=
}

# trouble NAME URL: throttled for a second, failing for a second, killed, and started again.
trouble() {
  local name=$1 url=$2 fault
  for fault in throttle=1s status=500; do
    say "$name: $fault for a second"
    curl -sS -o /dev/null -d "{\"faults\": [\"$fault\"]}" "$url/_control"
    sleep 1
    curl -sS -o /dev/null -d '{"faults": []}' "$url/_control"
    sleep 1
  done
  say "$name: kill -9, and started again"
  kill -KILL "${pid_of[$name]}"
  wait "${pid_of[$name]}" 2>/dev/null || true
  sleep 1
  "start_$name" "${url##*:}"
  sleep 4 # until its breaker, at three seconds, has let a probe through
}

nobody_notices() {
  step "10. Each backend is throttled, broken, killed and started again, and nobody notices"
  local statuses=$work/statuses.txt
  : >"$statuses"
  while [[ ! -e $work/enough ]]; do
    curl -sS -o /dev/null -w '%{http_code}\n' -H "authorization: Bearer $green" \
      -d "$(chat 5)" "$gateway/open/v1/chat/completions" >>"$statuses" 2>&1 || true
    sleep 0.02
  done &
  pid_of[asking]=$!
  # While payg is away, ptu's quota must carry all.
  ptu_quota=1000000
  curl -sS -o /dev/null -d "{\"tpm\": $ptu_quota}" "$ptu/_control"
  trouble ptu "$ptu"
  trouble payg "$payg"
  touch "$work/enough"
  wait "${pid_of[asking]}" || true
  unset "pid_of[asking]"
  say "$(wc -l <"$statuses") requests meanwhile"
  between "requests that were answered" "$(grep -c '^200$' "$statuses")" 100 1000000
  equal "requests that were not" "$(grep -vc '^200$' "$statuses" || true)" 0
}

set_up
SECONDS=0
exact_tokens
used_up
spill_over
dead_backend
streams
metrics_agree
budget
cached_answers
nobody_notices

step "All $checks checks hold, in $SECONDS s."
say "access log: $work/access.log"
say "its last line:"
tail -n 1 "$work/access.log"
