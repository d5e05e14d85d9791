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
