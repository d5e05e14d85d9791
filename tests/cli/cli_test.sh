#!/usr/bin/env bash
# The program `weir` ($1), asked as a person would ask it. $2: the source tree.

set -u
weir=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect NAME STATUS TEXT COMMAND…: the command's exit status, and what its output has in it.
expect() {
  local name=$1 status=$2 text=$3 output got
  shift 3
  output=$("$@" 2>&1)
  got=$?
  if ((got != status)) || [[ $output != *"$text"* ]]; then
    echo "FAILED: $name: status $got (wanted $status), output: $output"
    failures=$((failures + 1))
  fi
}

printf '{"weir": 1,\n "limts": {}, "backends": {}, "pools": {}, "routes": []}' >"$work/bad.json"
printf 'Hello, world' >"$work/text"

expect "a sound policy" 0 "" "$weir" check "$source/examples/policies/demo.json"
expect "a misspelt key" 1 'bad.json:2:2: limts: unknown key "limts"; did you mean "limits"?' \
  "$weir" check "$work/bad.json"
expect "a missing file" 1 "cannot read" "$weir" check "$work/none.json"
expect "no file" 2 "no file" "$weir" check
sed 's/"pools": {/"pools": {"spare": {"members": [{"backend": "ptu"}]},/' \
  "$source/examples/policies/demo.json" >"$work/idle.json"
expect "what does nothing" 0 ": warning: pools.spare: no route uses it" \
  "$weir" check "$work/idle.json"
expect "what does nothing, strictly" 1 "warning: " "$weir" check --strict "$work/idle.json"
expect "no warnings asked for" 0 "" "$weir" check --strict --quiet "$work/idle.json"
expect "faults in JSON" 1 '"line":2,"column":2,"severity":"error","message":"limts: unknown' \
  "$weir" check --json "$work/bad.json"
expect "nothing in JSON" 0 "[]" "$weir" check --json "$source/examples/policies/demo.json"

# explain [OPTION]…: a request of the demo's to its policy.
cat >"$work/request.http" <<'REQUEST'
POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21 HTTP/1.1
host: gateway
content-type: application/json

{"messages":[{"role":"user","content":"Hello, who are you?"}],"max_tokens":50}
REQUEST
explain() {
  PTU_KEY=ptu-secret "$weir" explain "$source/examples/policies/demo.json" \
    --request "$work/request.http" "$@"
}
red=demo-key-red-5f0c2a9e7b13
expect "who it is" 0 "consumer  team-red" explain --key "$red"
expect "what it costs" 0 "tokens-per-consumer: admitted; costs 63, reserves 63; of 900" \
  explain --key "$red"
expect "where it goes" 0 "attempt 1 to ptu: http://127.0.0.1:9101/openai/deployments/gpt-4o" \
  explain --key "$red"
expect "where it goes next" 0 "attempt 2 to payg: http://127.0.0.1:9102/v1/chat/completions" \
  explain --key "$red" --answer "429; retry-after: 7"
expect "how it ends" 0 "reply     502" explain --key "$red" --answer 503 --answer connect
expect "an answer that is relayed" 0 "header set x-weir-backend: ptu" \
  explain --key "$red" --answer 200
expect "who it is not" 0 "reply     401" explain --key nobody
expect "a secret that is not there" 0 "PAYG_AUTHORIZATION has no value here" explain --key "$red"
if explain --key "$red" --answer 429 | grep -q "ptu-secret\|$red"; then
  echo "FAILED: weir explain shows a secret"
  failures=$((failures + 1))
fi
expect "the same in JSON" 0 "team-red forward ptu" bash -c '
  "$1" explain "$2" --request "$3" --key "$4" --json | python3 -c "
import json, sys
story = json.load(sys.stdin)
told = story[\"explanation\"]
print(told[\"consumer\"], story[\"actions\"][-1][\"action\"], told[\"attempts\"][0][\"backend\"])"
' - "$weir" "$source/examples/policies/demo.json" "$work/request.http" "$red"
expect "a body alone" 0 "route     chat" bash -c \
  'echo "{\"model\":\"gpt-4o\"}" | "$1" explain "$2" --request -' - "$weir" \
  "$source/examples/policies/demo.json"
expect "no request" 2 "--request" "$weir" explain "$work/idle.json"
expect "an answer that is none" 2 "expected a status" explain --answer 42
expect "a request that is none" 1 "expected a JSON body" "$weir" explain "$work/idle.json" \
  --request "$work/text"
expect "a policy with a fault" 1 "bad.json: 2:2: limts" "$weir" explain "$work/bad.json" \
  --request "$work/request.http"
expect "a count by encoding" 0 "3" "$weir" count "$work/text"
expect "a count by model, from standard input" 0 "3" \
  bash -c '"$1" count --model gpt-4o <"$2"' - "$weir" "$work/text"
expect "an unknown model" 1 "no encoding" "$weir" count --model nothing "$work/text"
expect "a key's stored form" 0 "sha256:" bash -c 'echo vk-red | "$1" hash-key' - "$weir"
expect "another pepper, another form" 0 \
  "sha256:$(printf vk-red | openssl dgst -sha256 -hmac salt | sed 's/.*= //')" \
  bash -c 'echo vk-red | "$1" hash-key --pepper salt' - "$weir"
expect "the version" 0 "weir 0." "$weir" --version
expect "a state file that is none" 1 "is not a weir segment" "$weir" state "$work/text"
expect "no state file" 2 "one file" "$weir" state
expect "help" 0 "weir check FILE" "$weir" --help
expect "nothing" 2 "Usage" "$weir"

exit $((failures != 0))
