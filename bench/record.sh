#!/usr/bin/env bash
# The whole record of speed on a CPU, in one go on an idle machine (some 20 minutes on two cores):
# results/cpu.json (compare.sh, 5 rounds) and results/decode.json (Qwen3-0.6B's geometry beside
# llama.cpp and the memory's bandwidth, 5 rounds) and results/int8.jsonl (its decoding in 8 bits).
# Needs `npm ci`, `npm run build:ts`, an active Python environment with the peers (peers/README.md), and
# a directory where `npm install --ignore-scripts node-llama-cpp` was run.
#   record.sh --llama DIR [--gguf FILE] [--rounds N] [--threads N] [--geometry FILE]
#     [--modes LIST] [--output DIR]
set -euo pipefail
cd "$(dirname "$0")"
llama='' gguf=/tmp/kogrpo-bench.gguf rounds=5 threads=2 geometry=geometry-qwen3-0.6b.json
output=results modes='train generate grpo train_large'
. ./options.sh
read_options 'llama gguf rounds threads geometry modes output' "$@"
[[ -n $llama ]] || { echo 'record.sh: --llama DIR is needed (see the head of the file)' >&2; exit 2; }
mkdir -p "$output"
begun=$SECONDS
node peers/llama_cpp.mjs --llama "$llama" --gguf "$gguf" --geometry "$geometry" \
  --threads "$threads" --rounds "$rounds" --output "$output/decode.json"
for batch in 1 16; do
  node ../dist/cli/main.js bench --mode decode --dtype int8 --geometry "$geometry" \
    --batch "$batch" --threads "$threads" --runs "$rounds"
done | tee "$output/int8.jsonl"
# Bars that are not met (3) are in the file, and no failure of the record.
./compare.sh --quick --rounds "$rounds" --threads "$threads" --modes "$modes" \
  --output "$output/cpu.json" || [[ $? == 3 ]]
echo "recorded in $((SECONDS - begun)) s"
