#!/usr/bin/env bash
# Measures kogrpo against torch, transformers and TRL, alternately, on this machine, and writes
# results/cpu.json with the ratios. Needs a built checkout (npm ci) and an active Python environment
# with the peers (peers/README.md). On an idle machine, from anywhere:
#   compare.sh [--quick] [--rounds N] [--threads N] [--modes "train generate grpo train_large"]
#     [--dtypes "float32 bfloat16"] [--output FILE]
# The peers compute in fp32. train_large is Qwen3-0.6B's geometry, 1 x 512 tokens, in fp32 alone (10 GB
# a side, one after the other). The first round tries every variant of the peers (--quick: the one that
# has always been the fastest); the others measure the fastest one again. FILE is relative to this
# directory. Exits with 3 where a bar is not met.
set -euo pipefail
cd "$(dirname "$0")"
quick=0 rounds=3 threads=2 modes='train generate grpo'
dtypes='float32 bfloat16' output=results/cpu.json
. ./options.sh
read_options 'quick rounds threads modes dtypes output' "$@"
export PYTHONDONTWRITEBYTECODE=1
lines="$(mktemp)"
trap 'rm -f "$lines"' EXIT

peer() {
  case "$1" in
    train) shift; python peers/torch_train.py --threads "$threads" --repeats 5 "$@" ;;
    generate) shift; python peers/torch_generate.py --threads "$threads" --repeats 1 "$@" ;;
    grpo) shift; python peers/trl_grpo.py --threads "$threads" --repeats 1 "$@" ;;
    train_large)
      shift
      python peers/torch_train.py --threads "$threads" --repeats 1 --warm-up 1 \
        --geometry "$large" --batch 1 --seq 512 "$@"
      ;;
  esac
}

large=geometry-qwen3-0.6b.json
own() {
  case "$1" in
    train_large)
      [[ $2 == float32 ]] || return 0
      bench --mode train --geometry "$large" --batch 1 --seq 512 --runs 1 --dtype "$2"
      ;;
    *) bench --mode "$1" --dtype "$2" ;;
  esac
}
bench() { node ../dist/cli/main.js bench --threads "$threads" "$@"; }

declare -A usual=([train]=eager_fused [generate]=dynamic [grpo]=default [train_large]=eager_fused)

# A line of either side is marked with its round and work, and kept.
keep() { node ratios.mjs mark "$@" | tee -a "$lines"; }

for ((round = 1; round <= rounds; round++)); do
  for mode in $modes; do
    variants=()
    if ((round > 1)); then
      variants=(--variants "$(node ratios.mjs fastest "$mode" < "$lines")")
    elif ((quick)); then
      variants=(--variants "${usual[$mode]}")
    fi
    peer "$mode" ${variants[@]+"${variants[@]}"} | keep peer "$round" "$mode"
    for dtype in $dtypes; do own "$mode" "$dtype" | keep kogrpo "$round" "$mode"; done
  done
done
mkdir -p "$(dirname "$output")"
node ratios.mjs record "$output" < "$lines"
