#!/usr/bin/env bash
# install_test.sh MODE SOURCE_DIR BUILD_DIR WORK_DIR VERSION: weir as others use it.
#
#   package       installed to a new prefix, found by find_package and by pkg-config
#   subdirectory  built as a part of another project
#
# Environment: CC, CXX; LAUNCHER, a compiler launcher for `subdirectory`, may be empty.

set -euo pipefail
export CMAKE_GENERATOR=Ninja  # as the presets use; a fresh machine has no make

mode=$1 source=$2 build=$3 work=$4/$1 version=$5
examples=$source/tests/install

fail() {
  echo "install_test: $*" >&2
  exit 1
}

expect() {
  local wanted=$1 got
  shift
  got=$("$@") || fail "$1 failed"
  [[ $got == "$wanted" ]] || fail "$1 printed '$got', not '$wanted'"
}

quietly() {
  local log=$work/log
  "$@" >"$log" 2>&1 || {
    cat "$log"
    fail "failed: $*"
  }
}

run_examples() {
  for program in "$@"; do
    case $program in
      *cc*) expect "pass, 994 tokens left" "$program" ;;
      *) expect "6 tokens" "$program" ;;
    esac
  done
}

install_package() {
  quietly cmake --install "$build" --prefix "$prefix"
  [[ -f $prefix/include/weir.h ]] || fail "weir.h is not installed"
  for header in "$source"/include/weir/*.h; do
    cmp -s "$header" "$prefix/include/weir/$(basename "$header")" ||
      fail "$(basename "$header") is not installed"
  done
  # Nothing of the machine that built it, nor of the place it was first installed to.
  if grep -rIlF -e "$source" -e "$build" "$prefix"; then fail "paths of the building machine"; fi
  for library in "$prefix"/lib*/libweir.so.*.*; do
    if command -v readelf >/dev/null && readelf -d "$library" | grep -E 'R(UN)?PATH'; then
      fail "$library has a run path"
    fi
  done
}

with_cmake() {
  quietly cmake -S "$examples/with_cmake" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_BUILD_TYPE=Release -DWEIR_EXAMPLES="$examples" -DWEIR_WANTED="${version%.*}"
  quietly cmake --build "$work/cmake"
  run_examples "$work"/cmake/{c_shared,c_static,cc_core}
  # A version that this is not compatible with is not found.
  if cmake -S "$examples/with_cmake" -B "$work/other" -DCMAKE_PREFIX_PATH="$prefix" \
    -DWEIR_EXAMPLES="$examples" -DWEIR_WANTED=99.0 >"$work/log" 2>&1; then
    fail "weir $version passes for weir 99.0"
  fi
}

with_pkg_config() {
  local flags
  PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name weir.pc)")
  export PKG_CONFIG_PATH
  expect "$version" pkg-config --modversion weir
  expect "$version" pkg-config --modversion weir_core
  [[ $(realpath "$(pkg-config --variable=prefix weir)") == $(realpath "$prefix") ]] ||
    fail "weir.pc names the prefix $(pkg-config --variable=prefix weir), not where it lies"
  read -ra flags <<<"$(pkg-config --cflags --libs weir)"
  quietly "$CC" -std=c11 -o "$work/pc_c" "$examples/readme_example.c" "${flags[@]}" \
    "-Wl,-rpath,$(pkg-config --variable=libdir weir)"
  read -ra flags <<<"$(pkg-config --cflags --libs weir_core)"
  quietly "$CXX" -std=c++20 -o "$work/pc_cc" "$examples/readme_example.cc" "${flags[@]}"
  run_examples "$work"/pc_c "$work"/pc_cc
}

# Beside the build, with its flags, and as deep in the tree: a compiler cache has every object.
as_subdirectory() {
  local made=$build-subdirectory
  local options=(-DCMAKE_BUILD_TYPE=Release -DWEIR_WERROR=ON -DWEIR_SOURCE_DIR="$source"
    -DWEIR_EXAMPLES="$examples")
  export CCACHE_BASEDIR=$source CCACHE_NOHASHDIR=1
  rm -rf "$made"
  if [[ -n ${LAUNCHER:-} ]]; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER="$LAUNCHER" -DCMAKE_CXX_COMPILER_LAUNCHER="$LAUNCHER")
  fi
  quietly cmake -S "$examples/with_subdirectory" -B "$made" "${options[@]}"
  quietly cmake --build "$made"
  run_examples "$made"/{c_shared,cc_core}
}

mkdir -p "$work"
prefix=$work/prefix
if [[ $mode == package ]]; then
  rm -rf "$work" && mkdir -p "$work"
  install_package
  # A package may be moved as a whole.
  mv "$prefix" "$work/moved"
  prefix=$work/moved
  with_cmake
  with_pkg_config
else
  as_subdirectory
fi
echo "install_test: $mode works"
