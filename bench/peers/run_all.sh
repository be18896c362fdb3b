#!/usr/bin/env bash
# Measures torch, transformers and TRL at the comparison's geometry and writes peers.json beside this
# script. Run it on an idle machine in an environment that has them (see README.md).
#   run_all.sh [--quick] [--threads N]      --quick: only the variants that were the fastest so far
set -euo pipefail
cd "$(dirname "$0")"
quick=0 threads=2
. ../options.sh
read_options 'quick threads' "$@"
train=() generate=() grpo=()
if [[ $quick == 1 ]]; then
  train=(--variants eager_fused)
  generate=(--variants dynamic)
  grpo=(--variants default)
fi
export PYTHONDONTWRITEBYTECODE=1
lines="$(mktemp)"
trap 'rm -f "$lines"' EXIT
python torch_train.py --threads "$threads" ${train[@]+"${train[@]}"} | tee -a "$lines"
python torch_generate.py --threads "$threads" ${generate[@]+"${generate[@]}"} | tee -a "$lines"
python trl_grpo.py --threads "$threads" ${grpo[@]+"${grpo[@]}"} | tee -a "$lines"
python collect.py peers.json < "$lines"
