#!/usr/bin/env bash
# The native tests as an AArch64 processor runs them, on any machine: cross-compiled, under QEMU. On
# demand, not part of npm test. Arguments go to the tests (scripts/test-aarch64.sh -tc='attention*').
# Debian: sudo apt-get install -y cmake ninja-build doctest-dev g++-aarch64-linux-gnu qemu-user
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in cmake ninja aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$tool" >/dev/null || {
    echo "$tool is missing: sudo apt-get install -y cmake ninja-build doctest-dev g++-aarch64-linux-gnu qemu-user" >&2
    exit 1
  }
done
build=build-aarch64
cmake -S . -B "$build" -G Ninja -DKOGRPO_TESTS=ON -DKOGRPO_GLOO=OFF \
  -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ >/dev/null
cmake --build "$build" --target kogrpo_tests
# QEMU holds no process to a limit of memory, which is what that one test is about.
exec qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/kogrpo_tests" \
  -tce='pool: threads that the system refuses*' "$@"
