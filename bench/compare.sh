#!/usr/bin/env bash
# Measures kogrpo against torch, transformers and TRL, alternately, on this machine, and writes
# results/cpu.json with the ratios. Needs a built checkout (npm ci) and an active Python environment
# with the peers (peers/README.md). On an idle machine, from anywhere:
#   compare.sh [--quick] [--rounds N] [--threads N] [--modes "train generate grpo"] [--output FILE]
# The first round tries every variant of the peers (--quick: the one that has always been the fastest);
# the others measure the fastest one again.
set -euo pipefail
cd "$(dirname "$0")"
quick=0
rounds=3
threads=2
modes="train generate grpo"
output=results/cpu.json
while [[ $# -gt 0 ]]; do
  case "$1" in
    --quick) quick=1; shift ;;
    --rounds) rounds="${2:?--rounds needs a number}"; shift 2 ;;
    --threads) threads="${2:?--threads needs a number}"; shift 2 ;;
    --modes) modes="${2:?--modes needs a list}"; shift 2 ;;
    --output) output="${2:?--output needs a file}"; shift 2 ;;
    *) echo "compare.sh: unknown option $1 (known: --quick, --rounds, --threads, --modes, --output)" >&2; exit 2 ;;
  esac
done
export PYTHONDONTWRITEBYTECODE=1
lines="$(mktemp)"
trap 'rm -f "$lines"' EXIT

peer() {
  case "$1" in
    train) shift; python peers/torch_train.py --threads "$threads" --repeats 5 "$@" ;;
    generate) shift; python peers/torch_generate.py --threads "$threads" --repeats 1 "$@" ;;
    grpo) shift; python peers/trl_grpo.py --threads "$threads" --repeats 1 "$@" ;;
  esac
}

declare -A usual=([train]=eager_fused [generate]=dynamic [grpo]=default)

# A line of either side is marked with its round and kept.
keep() { node ratios.mjs mark "$1" "$2" | tee -a "$lines"; }

for ((round = 1; round <= rounds; round++)); do
  for mode in $modes; do
    variants=()
    if ((round > 1)); then
      variants=(--variants "$(node ratios.mjs fastest "$mode" < "$lines")")
    elif ((quick)); then
      variants=(--variants "${usual[$mode]}")
    fi
    peer "$mode" ${variants[@]+"${variants[@]}"} | keep peer "$round"
    node ../dist/cli/main.js bench --mode "$mode" --threads "$threads" | keep kogrpo "$round"
  done
done
mkdir -p "$(dirname "$output")"
node ratios.mjs record "$output" < "$lines"
