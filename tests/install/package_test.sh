#!/usr/bin/env bash
# package_test.sh MODE SOURCE_DIR BUILD_DIR WORK_DIR VERSION: weir as it is shipped.
#
#   deb        Debian packages: built, looked over, installed into an empty system, used from there
#   reproduce  built once more elsewhere, without a compiler cache: the same bytes (WEIR_LONG=1)
#   static     one libweir.so that needs only the C and C++ libraries (WEIR_LONG=1)
#
# Environment: CC, CXX; LAUNCHER, a compiler launcher, may be empty.

set -euo pipefail
export CMAKE_GENERATOR=Ninja

mode=$1 source=$2 build=$3 work=$4/$1 version=$5
# Beside the build, as deep in the tree as that is: so a compiler cache that knows sources by where
# they lie from there has every object already.
made=$build-packages
export CCACHE_BASEDIR=$source CCACHE_NOHASHDIR=1

fail() {
  echo "package_test: $*" >&2
  exit 1
}

skip() {
  echo "skipped: package_test $mode: $*"
  exit 77
}

quietly() {
  local log=$work/log
  "$@" >"$log" 2>&1 || {
    cat "$log"
    fail "failed: $*"
  }
}

options=(-DCMAKE_BUILD_TYPE=Release -DWEIR_BUILD_TESTS=OFF -DWEIR_BUILD_BENCH=OFF
  -DWEIR_BUILD_EXAMPLES=OFF)

build_packages() {
  rm -rf "$made"
  local launch=()
  if [[ -n ${LAUNCHER:-} ]]; then
    launch=(-DCMAKE_C_COMPILER_LAUNCHER="$LAUNCHER" -DCMAKE_CXX_COMPILER_LAUNCHER="$LAUNCHER")
  fi
  quietly cmake -S "$source" -B "$made" "${options[@]}" "${launch[@]}" \
    -DCMAKE_INSTALL_PREFIX=/usr -DWEIR_PACKAGE_CONTACT="weir <weir@debian.org>"
  quietly cmake --build "$made"
  (cd "$made" && SOURCE_DATE_EPOCH=1700000000 quietly cpack -G DEB)
}

# The package's field.
field() { dpkg-deb -f "$made/$1"_*.deb "$2"; }

# Nothing that lintian calls an error.
look_over() {
  if ! command -v lintian >/dev/null; then
    echo "package_test: no lintian here, so nobody looked the packages over"
    return
  fi
  lintian --allow-root "$made"/*.deb >"$work/lintian" 2>&1 || true
  if grep "^E: " "$work/lintian"; then fail "lintian finds errors"; fi
}

install_packages() {
  local root=$work/root
  mkdir -p "$root"/var/lib/dpkg/{updates,info} "$root/etc"
  touch "$root"/var/lib/dpkg/{status,available}
  # Unpacked, not configured: the loader's cache of this system is not that one's.
  quietly dpkg --root="$root" --force-not-root --force-depends --log=/dev/null \
    --unpack "$made"/*.deb
  local libraries
  libraries=$(dirname "$(find "$root/usr/lib" -name libweir.so.0)")
  export LD_LIBRARY_PATH=$libraries
  [[ $("$root/usr/bin/weir" version) == "weir $version" ]] || fail "weir does not run"
  local python=$root/usr/lib/python3/dist-packages
  if [[ -d $python/weir ]]; then
    [[ $(PYTHONPATH=$python /usr/bin/python3 -B -c \
      'import weir; print(weir.count_tokens("gpt-4o", "Hello, world"))') == 3 ]] ||
      fail "the Python module does not count"
  fi
  local module=$root/usr/lib/nginx/modules/ngx_http_weir_module.so
  if [[ -f $module ]]; then
    printf 'load_module %s;\nerror_log stderr;\npid %s/pid;\nevents {}\nhttp {}\n' \
      "$module" "$work" >"$work/nginx.conf"
    quietly nginx -t -c "$work/nginx.conf" -p "$work"
  fi
  local example=$source/tests/install/readme_example.c
  quietly "$CC" -std=c11 -o "$work/example" "$example" -I"$root/usr/include" -L"$libraries" -lweir
  [[ $("$work/example") == "6 tokens" ]] || fail "the README's example does not run"
  for folder in /etc /usr/lib /usr/share; do
    if grep -rIlF -e "$source" -e "$work" "$root$folder" 2>/dev/null; then
      fail "paths of the building machine"
    fi
  done
}

check_packages() {
  [[ $(field libweir0 Version) == "$version-1" ]] || fail "the version is not $version-1"
  [[ $(field libweir0 Depends) == *libssl* ]] || fail "libweir0 does not name what it links"
  local packages=(libweir-dev weir)
  # What only some machines can build.
  for package in python3-weir libnginx-mod-http-weir lua-weir; do
    if compgen -G "$made/${package}_*.deb" >/dev/null; then
      packages+=("$package")
    else
      echo "package_test: no $package: what it is built from is not here"
    fi
  done
  for package in "${packages[@]}"; do
    [[ $(field $package Depends) == *"libweir0 (= $version-1)"* ]] ||
      fail "$package does not depend on its own libweir0"
  done
  # Two builds, the same bytes.
  cmp "$made/capi/libweir.so.$version" "$build/capi/libweir.so.$version" ||
    fail "two builds of libweir differ"
}

as_deb() {
  command -v dpkg-shlibdeps >/dev/null || skip "no dpkg-dev here"
  build_packages
  check_packages
  look_over
  install_packages
}

# Only libweir: what is in it is what ships.
build_library() {
  quietly cmake -S "$1" -B "$work/$2" "${options[@]}" -DWEIR_BUILD_BINDINGS=OFF "${@:3}"
  quietly cmake --build "$work/$2" --target weir
}

reproduce() {
  [[ -n ${WEIR_LONG:-} ]] || skip "the long form builds everything again (WEIR_LONG=1)"
  export CCACHE_DISABLE=1
  mkdir -p "$work/elsewhere"
  tar -C "$source" --exclude=./build --exclude=./.git -cf - . | tar -C "$work/elsewhere" -xf -
  build_library "$work/elsewhere" again
  cmp "$work/again/capi/libweir.so.$version" "$build/capi/libweir.so.$version" ||
    fail "a build in another folder differs"
}

# Debian's own Abseil archives have code that no shared library can hold.
build_abseil() {
  local lists=$work/apt apt=()
  mkdir -p "$lists"/{lists/partial,cache/archives/partial,sources}
  sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/*.sources \
    >"$lists/sources/src.sources" 2>/dev/null || skip "no Debian sources are known here"
  apt=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$lists/sources"
    -o Dir::State::lists="$lists/lists" -o Dir::Cache="$lists/cache")
  (cd "$work" && apt-get "${apt[@]}" update && apt-get "${apt[@]}" source --download-only abseil) \
    >"$work/log" 2>&1 || skip "Abseil's sources cannot be fetched"
  mkdir -p "$work/abseil"
  tar -C "$work/abseil" --strip-components=1 -xf "$work"/abseil_*.orig.tar.gz
  quietly cmake -S "$work/abseil" -B "$work/abseil-build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_CXX_STANDARD=17 -DBUILD_TESTING=OFF \
    -DCMAKE_INSTALL_PREFIX="$work/prefix"
  quietly cmake --build "$work/abseil-build" --target install
}

as_static() {
  [[ -n ${WEIR_LONG:-} ]] || skip "the long form builds Abseil, too (WEIR_LONG=1)"
  build_abseil
  # Debian has no archive of SentencePiece.
  build_library "$source" one -DWEIR_STATIC_DEPS=ON -DWEIR_WITH_SENTENCEPIECE=OFF \
    -DCMAKE_PREFIX_PATH="$work/prefix"
  local needed
  needed=$(readelf -d "$work/one/capi/libweir.so.$version" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
  if grep -vE '^(libstdc\+\+|libc|libm|libgcc_s|libatomic|ld-linux.*)\.so' <<<"$needed"; then
    fail "that is more than the C and C++ libraries"
  fi
  [[ $(nm -D --defined-only "$work/one/capi/libweir.so.$version" | grep -vcE ' weir_') == 0 ]] ||
    fail "names of others leave the library"
}

rm -rf "$work" && mkdir -p "$work"
case $mode in
  deb) as_deb ;;
  reproduce) reproduce ;;
  static) as_static ;;
  *) fail "no mode $mode" ;;
esac
echo "package_test: $mode works"
