#!/usr/bin/env bash
# clang-tidy over the sources of every build (group core; checks: .clang-tidy), or over the files given.
# On demand, not part of npm test: it parses every file again and takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(command -v clang-tidy || command -v clang-tidy-14) || {
  echo 'clang-tidy is missing: sudo apt-get install -y clang-tidy' >&2
  exit 1
}
build=build-tidy
cmake -S . -B "$build" -G Ninja -DKOGRPO_TESTS=OFF >/dev/null
files=("$@")
# The kernels' files (kernels_*.cpp) are left out: intrinsics at this optimisation say little.
if [ ${#files[@]} -eq 0 ]; then
  mapfile -t files < <(sed -nE 's/^core (.*)/\1/p' native/sources.txt)
fi
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 "$tool" -p "$build" --quiet \
  --extra-arg=-Wno-unknown-warning-option
echo "${#files[@]} files are clean"
