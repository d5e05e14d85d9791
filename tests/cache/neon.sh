#!/bin/sh
# Compiles the kernels for AArch64 and runs their differential test on an emulated processor, which
# says that they are right and nothing of how fast they are. Not part of the usual run: it wants
# g++-aarch64-linux-gnu and qemu-user (Debian), and catch2.
#
#   tests/cache/neon.sh [FOLDER for what is built]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
made=${1:-$(mktemp -d)}
mkdir -p "$made/include"
ln -sfn /usr/include/absl "$made/include/absl"
ln -sfn /usr/include/catch2 "$made/include/catch2"
aarch64-linux-gnu-g++ -std=c++20 -O2 -Wall -Wextra -Werror -static \
  -I "$root/include" -I "$root/lib" -I "$root" -isystem "$made/include" \
  "$root/lib/cache/kernels.cc" "$root/tests/cache/kernels_test.cc" "$root/tests/support/main.cc" \
  -o "$made/kernels_test"
qemu-aarch64 "$made/kernels_test"
