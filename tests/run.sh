#!/usr/bin/env bash
# Sets up, builds and runs weir's tests; the second run builds nothing and only tests.

set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: tests/run.sh [--preset NAME] [--label NAME]… [--long] [--help] [-- CTEST OPTION…]

  --preset NAME  debug, release (default), asan, tsan or clang: see CMakePresets.json
  --label NAME   only the tests of one folder under tests/ (limits, capi, transcripts, …)
  --long         tests that know a long form run it (WEIR_LONG=1): transcripts in every cut, 10^7
                 random texts against the oracle, 10^5 mutations for each fuzz target
  --help         this text

Installs missing packages with apt-get (WEIR_SKIP_INSTALL=1: never), builds build/<preset> and runs
ctest on it. Ends with what passed, failed and was skipped, and why.
USAGE
}

. "$(dirname "${BASH_SOURCE[0]}")/support/setup.sh"

preset=release
labels=()
ctest_options=()
while (($#)); do
  case $1 in
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    --label) labels+=("${2:?--label needs a name}"); shift 2 ;;
    --long) export WEIR_LONG=1; shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; ctest_options+=("$@"); break ;;
    *) echo "tests/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done
if ((${#labels[@]})); then
  ctest_options+=(-L "^($(IFS='|'; echo "${labels[*]}"))\$")
fi

# Benchmarks are for the build that ships, and so are the examples and the clients that ask them.
# AddressSanitizer needs no more than -O1, which compiles in half the time.
case $preset in
  release) build_options=() ;;
  asan)
    build_options=(-DWEIR_BUILD_BENCH=OFF -DWEIR_BUILD_EXAMPLES=OFF
      "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1")
    ;;
  *) build_options=(-DWEIR_BUILD_BENCH=OFF) ;;
esac

weir_install_dependencies
weir_build "$preset" "${build_options[@]}"

cd "$weir_root"
report=build/$preset/tests.xml
rm -f "$report"
failed=0
ctest --preset "$preset" -j "$(nproc)" --no-tests=error --output-junit "$weir_root/$report" \
  "${ctest_options[@]}" || failed=$?

# Tests that leave something out say so in a line of their own; nobody should have to look for it.
count() { grep -o "$1=\"[0-9]*\"" "$report" | head -1 | tr -dc 0-9; }
echo
if [[ -f $report ]]; then
  total=$(count tests) failures=$(count failures) skips=$(count skipped) disabled=$(count disabled)
  echo "weir $preset: $((total - failures - skips - disabled)) passed, $failures failed," \
    "$skips skipped, of $total"
  { grep -ohE '^skipped: .*' build/"$preset"/Testing/Temporary/LastTest.log || true; } | sort | uniq
else
  echo "weir $preset: no test ran"
fi
exit "$failed"
