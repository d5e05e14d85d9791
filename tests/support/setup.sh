# Sourced by tests/run.sh, examples/demo.sh and .ci/run: what weir is built from, and how to build
# it. This is the only list of packages; the names are Debian's (12 or later) and Ubuntu's.
#
#   . tests/support/setup.sh
#   weir_install_dependencies          # installs what is missing; silent when nothing is
#   weir_install_dependencies ci       # and what only CI uses
#   weir_build release                 # configures and builds build/release
#   weir_build release --target weir_gateway
#   weir_build asan -DWEIR_BUILD_BENCH=OFF
#
# WEIR_SKIP_INSTALL=1 never calls a package manager: for systems that have the same things under
# other names, or where nobody may install.

weir_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

weir_packages=(
  cmake ninja-build g++ pkg-config ccache          # the tools
  libabsl-dev rapidjson-dev libssl-dev             # what weir links
  libsentencepiece-dev libutf8proc-dev             # and may be built without: tokenizers,
  zlib1g-dev libbrotli-dev libzstd-dev             # content codings
  catch2 libjansson-dev sentencepiece python3      # what its tests use
  python3-prometheus-client                        # and whose reader checks its metrics
  libbenchmark-dev prometheus-cpp-dev              # what its benchmarks use, and stand beside
  libcpp-httplib-dev curl                          # what its examples use
  libsqlite3-dev                                   # what weir report --sqlite writes with
  dpkg-dev file                                    # what its Debian packages are made with
)

# The hosts of its bindings, and what those are built with.
weir_packages+=(
  golang-go
  python3-dev python3-cffi python3-uvicorn python3-httpx
  nginx nginx-dev make openssl
  luajit2 libnginx-mod-http-lua
  lua5.3 liblua5.3-dev lua5.4 liblua5.4-dev haproxy
)

weir_ci_packages=(
  clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev
  python3-venv                                     # the Python client in tests/clients
  prometheus                                       # its promtool reads the metrics
  chromium                                         # the gateway's live page is looked at with it
  lintian abigail-tools mypy                       # what looks packages, ABI and types over
)

weir_missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      echo "$package"
  done
}

weir_install_dependencies() {
  local wanted=("${weir_packages[@]}")
  if [[ ${1:-} == ci ]]; then wanted+=("${weir_ci_packages[@]}"); fi
  if [[ ${WEIR_SKIP_INSTALL:-} == 1 ]]; then return 0; fi

  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "weir: this system has no apt-get. Install the like of these Debian packages:" >&2
    echo "  ${wanted[*]}" >&2
    echo "and say WEIR_SKIP_INSTALL=1 to go on." >&2
    return 1
  fi

  local missing
  mapfile -t missing < <(weir_missing_packages "${wanted[@]}")
  if ((${#missing[@]} == 0)); then return 0; fi

  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "weir: these packages are missing, and neither root nor sudo is at hand:" >&2
      echo "  ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "weir: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq || return 1
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || return 1

  mapfile -t missing < <(weir_missing_packages "${wanted[@]}")
  if ((${#missing[@]} != 0)); then
    echo "weir: could not install ${missing[*]}" >&2
    return 1
  fi
}

# weir_build <preset> [--target <name>]… [cmake options for configuring]…
weir_build() {
  local preset=$1 targets=() options=()
  shift
  while (($#)); do
    case $1 in
      --target) targets+=(--target "$2"); shift 2 ;;
      *) options+=("$1"); shift ;;
    esac
  done
  (
    cd "$weir_root" || exit 1
    # A compiler cache that knows the sources in whatever checkout they lie.
    export CCACHE_BASEDIR=$weir_root CCACHE_NOHASHDIR=1
    if ! log=$(cmake --preset "$preset" "${options[@]}" 2>&1); then
      printf '%s\n' "$log" >&2
      exit 1
    fi
    NINJA_STATUS='[%f/%t] ' cmake --build --preset "$preset" --parallel "$(nproc)" "${targets[@]}"
  )
}
