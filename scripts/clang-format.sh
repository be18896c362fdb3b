#!/usr/bin/env bash
# Checks (default) or fixes (--fix) the formatting of every C++ file.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(--dry-run --Werror)
[ "${1:-}" = "--fix" ] && mode=(-i)
find native test/native -name '*.h' -o -name '*.cpp' -o -name '*.inl' | xargs clang-format "${mode[@]}"
