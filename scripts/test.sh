#!/usr/bin/env bash
# npm test: sets up what is missing (Debian, Ubuntu: packages too), then checks style and types,
# makes both builds of the addon and runs the native tests, the TypeScript tests, and the native
# tests again under AddressSanitizer and UndefinedBehaviorSanitizer. A failed check does not stop
# those that can run without it. The last line counts checks and tests: "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
results=build-test
rm -f "$results/summary.txt"
mkdir -p "$results"
jobs=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
passed=0 failed=0 failures=()

# -- set-up

missing_tools() {
  local tool
  for tool in g++ make python3 cmake ninja; do
    command -v "$tool" >/dev/null || echo "$tool"
  done
  command -v clang-format-14 >/dev/null || command -v clang-format >/dev/null || echo clang-format
  [ -n "$(find /usr/include /usr/local/include /opt/homebrew/include \
    -maxdepth 2 -path '*doctest/doctest.h' 2>/dev/null)" ] || echo doctest
  # For ranks on CPUs; where it cannot be had the addon is built and tested without.
  if command -v apt-get >/dev/null && [ ! -e /usr/include/gloo/allreduce.h ]; then echo gloo; fi
}

install_tools() {
  local missing sudo=()
  missing=$(missing_tools)
  [ -z "$missing" ] && return
  if ! command -v apt-get >/dev/null; then
    echo "npm test needs: $(echo $missing). Install them and try again." >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "npm test needs: $(echo $missing). Install them as root, or install sudo." >&2
      return 1
    fi
    sudo=(sudo)
  fi
  echo "installing: $(echo $missing)"
  local packages=(g++ make python3 cmake ninja-build doctest-dev)
  "${sudo[@]}" apt-get update -q </dev/null || return 1
  # One release of clang-format is the measure of style; where it cannot be had, see clang-format.sh.
  if apt-cache show clang-format-14 >/dev/null 2>&1; then
    packages+=(clang-format-14)
  else
    packages+=(clang-format)
  fi
  if apt-cache show libgloo-dev >/dev/null 2>&1; then packages+=(libgloo-dev); fi
  # For the tests of the report page, which are left out where there is no browser.
  if ! command -v chromium >/dev/null && apt-cache show chromium >/dev/null 2>&1; then
    packages+=(chromium fonts-noto-cjk)
  fi
  # For the tests of the code reward, which are left out where there is no sandbox.
  command -v bwrap >/dev/null || packages+=(bubblewrap)
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${packages[@]}" </dev/null || return 1
}

# -- checks

# The last lines, and the exit status: 0 if nothing failed.
finish() {
  local name
  echo
  echo "took $((SECONDS / 60)) min $((SECONDS % 60)) s"
  for name in ${failures[@]+"${failures[@]}"}; do echo "failed: $name"; done
  echo "$passed passed, $failed failed" | tee "$results/summary.txt"
  [ "$failed" -eq 0 ]
  exit
}

# check NAME COMMAND…: one check, timed; its output is shown. A whole check counts as one.
check() {
  local name=$1 started=$SECONDS
  shift
  echo
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
    echo "== $name: passed ($((SECONDS - started)) s)"
  else
    failed=$((failed + 1))
    failures+=("$name")
    echo "== $name: FAILED ($((SECONDS - started)) s)"
    return 1
  fi
}

# tests NAME LOG COUNTER COMMAND…: a test program whose tests are counted one by one. COUNTER reads
# the log and prints "PASSED FAILED"; a program that fails without a failed test counts as one.
tests() {
  local name=$1 log=$results/$2 counter=$3 started=$SECONDS status ok=0 bad=0
  shift 3
  echo
  echo "== $name"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  read -r ok bad < <($counter "$log")
  [ "$status" -ne 0 ] && [ "${bad:-0}" -eq 0 ] && bad=1
  [ "$status" -eq 0 ] && [ "${ok:-0}" -eq 0 ] && bad=1 # nothing ran
  passed=$((passed + ${ok:-0}))
  failed=$((failed + ${bad:-0}))
  [ "${bad:-0}" -eq 0 ] || failures+=("$name"$'\n'"$(failed_tests "$log")")
  echo "== $name: ${ok:-0} passed, ${bad:-0} failed ($((SECONDS - started)) s)"
}

# "[doctest] test cases: 12 | 11 passed | 1 failed | 0 skipped"
count_doctest() {
  sed -nE 's/^\[doctest\] test cases: *[0-9]+ *\| *([0-9]+) passed *\| *([0-9]+) failed.*/\1 \2/p' "$1"
}

# "      Tests  1 failed | 310 passed | 4 skipped (315)", perhaps coloured
count_vitest() {
  local line ok bad
  line=$(sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -E '^ +Tests +[0-9]' | tail -1)
  number() { sed -nE "s/.*[^0-9]([0-9]+) $1.*/\\1/p" <<<"$line"; }
  ok=$(number passed) bad=$(number failed)
  echo "${ok:-0} ${bad:-0}"
}

# Which tests failed and why, from the log of vitest or doctest; of a program that died, its last lines.
# Shown at the end too: a record of a long run often keeps the end only.
failed_tests() {
  local found
  found=$(sed 's/\x1b\[[0-9;]*m//g' "$1" |
    grep -A 8 -E '^ *FAIL  |: (FATAL )?ERROR: |ERROR: AddressSanitizer|runtime error: ' | head -120)
  echo "${found:-$(tail -12 "$1")}" | cut -c1-240
}

sanitized_build() {
  cmake -S . -B "$results/sanitized" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG= \
    -DKOGRPO_TESTS=ON -DKOGRPO_SANITIZE=address,undefined >/dev/null &&
    cmake --build "$results/sanitized" -j "$jobs"
}

if ! install_tools; then
  failed=1 failures=('set-up')
  finish
fi
if [ ! -d node_modules ]; then
  check 'npm ci (with the node-gyp build)' npm ci --no-audit --no-fund || finish
else
  check 'node-gyp build' node scripts/install.mjs || finish
fi
export PATH=$PWD/node_modules/.bin:$PATH

check 'lint and format (TypeScript)' biome check .
check 'format (C++)' scripts/clang-format.sh
check 'types' tsc -p tsconfig.test.json
check 'compile TypeScript' node scripts/prepare.mjs
if check 'cmake-js build, native tests' \
  cmake-js build --out build-cmake --CDKOGRPO_TESTS=ON --parallel "$jobs" --log-level error; then
  tests 'native tests' native.log count_doctest build-cmake/kogrpo_tests
  tests 'CUDA kernels, emulated' emulated.log count_doctest build-cmake/kogrpo_emulated_tests
fi
tests 'TypeScript tests' typescript.log count_vitest vitest run
check 'install from the tarball' scripts/test-package.sh
if command -v nvcc >/dev/null; then
  check 'CUDA kernels by nvcc: no spills, matrix instructions' node scripts/cuda-report.mjs
fi
if check 'build with ASan and UBSan' sanitized_build; then
  UBSAN_OPTIONS=print_stacktrace=1 \
    tests 'native tests with ASan and UBSan' sanitized.log count_doctest \
    "$results/sanitized/kogrpo_tests"
  UBSAN_OPTIONS=print_stacktrace=1 \
    tests 'CUDA kernels, emulated, with ASan and UBSan' emulated-sanitized.log count_doctest \
    "$results/sanitized/kogrpo_emulated_tests"
fi

finish
