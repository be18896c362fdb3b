#!/usr/bin/env bash
# Checks (default) or fixes (--fix) the formatting of every C++ file. Releases of clang-format
# differ in small things, so one of them, 14, is the measure: another release only reports.
set -euo pipefail
cd "$(dirname "$0")/.."
release=14
tool=clang-format-$release
command -v "$tool" >/dev/null || tool=clang-format
mapfile -t files < <(find native test/native test/fuzz/native bench/gpu -name '*.h' -o -name '*.cpp' -o -name '*.inl' -o -name '*.cu' -o -name '*.cuh' | sort)
if [ "${1:-}" = --fix ]; then
  exec "$tool" -i "${files[@]}"
fi
if "$tool" --dry-run --Werror "${files[@]}"; then
  echo "${#files[@]} files are formatted"
elif [[ "$("$tool" --version)" =~ version\ $release\. ]]; then
  echo 'run npm run format' >&2
  exit 1
else
  echo "not clang-format $release, so these are remarks only: $("$tool" --version)"
fi
