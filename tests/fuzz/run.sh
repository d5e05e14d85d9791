#!/usr/bin/env bash
# Builds the fuzz targets with Clang's libFuzzer, AddressSanitizer and UBSan, and runs them.

set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: tests/fuzz/run.sh [--seconds N] [--jobs N] [--keep] [TARGET…]

  --seconds N   how long each target runs (default 60)
  --jobs N      how many run at once (default: one for each processor)
  --keep        new inputs go to build/fuzz/corpus and are there next time
  TARGET        fz_sse, fz_tok_count, …; default: all

Ends with each target's executions, and fails at the first input that a target does not survive,
which is left in build/fuzz/crashes.
USAGE
}

. "$(dirname "${BASH_SOURCE[0]}")/../support/setup.sh"

seconds=60
jobs=$(nproc)
keep=0
targets=()
while (($#)); do
  case $1 in
    --seconds) seconds=${2:?--seconds needs a number}; shift 2 ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift 2 ;;
    --keep) keep=1; shift ;;
    --help | -h) usage; exit 0 ;;
    -*) echo "tests/fuzz/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done

cd "$weir_root"
if ((${#targets[@]} == 0)); then
  for source in tests/fuzz/fz_*.cc; do targets+=("$(basename "$source" .cc)"); done
fi
weir_install_dependencies ci
build_targets=()
for target in "${targets[@]}"; do build_targets+=(--target "$target"); done
weir_build fuzz "${build_targets[@]}"

mkdir -p build/fuzz/crashes build/fuzz/logs
run_one() {
  local target=$1 seconds=$2 keep=$3 found
  found=build/fuzz/corpus/$target
  if ((!keep)); then found=$(mktemp -d); fi
  mkdir -p "$found"
  # The library's own limits are tested, not libFuzzer's: 4 KiB inputs, 2 GiB, 20 s an input.
  if build/fuzz/bin/"$target" "$found" tests/fuzz/corpus/"$target" \
    -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=2048 -timeout=20 -use_value_profile=1 \
    -artifact_prefix=build/fuzz/crashes/"$target"- >build/fuzz/logs/"$target" 2>&1; then
    printf '%-20s %s\n' "$target" "$(grep -o 'Done .* second(s)' build/fuzz/logs/"$target")"
  else
    tail -40 build/fuzz/logs/"$target"
    echo "$target FAILED: see build/fuzz/logs/$target"
    return 1
  fi
}
export -f run_one
printf '%s\n' "${targets[@]}" |
  xargs -P "$jobs" -I{} bash -c 'run_one "$1" "$2" "$3"' _ {} "$seconds" "$keep"
