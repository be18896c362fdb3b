#!/usr/bin/env bash
# Starts this machine's ranks of a training; on several machines run it on each of them.
#
#   scripts/launch-multi-gpu.sh recipe.yaml --device cuda [--dotted.key value …]
#
# Reads NPROC_PER_NODE (default: the machine's GPUs, else 1), NNODES (1), NODE_RANK (0),
# RDZV_ENDPOINT (host:port of node 0; needed for several machines) and MAX_RESTARTS (0).
set -euo pipefail
# Its complaints, too, go to standard output: only what names a GPU counts.
gpus() { nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU ' || true; }
ranks=${NPROC_PER_NODE:-$(gpus)}
if [ -z "${NPROC_PER_NODE:-}" ] && [ "$ranks" -eq 0 ]; then ranks=1; fi
options=(--nproc-per-node "$ranks" --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}"
  --max-restarts "${MAX_RESTARTS:-0}")
[ -z "${RDZV_ENDPOINT:-}" ] || options+=(--rdzv-endpoint "$RDZV_ENDPOINT")
# This checkout's own program, wherever it is called from: npx would look for one in a registry.
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
exec node "$root/bin/kogrpo.mjs" launch "${options[@]}" train "$@"
