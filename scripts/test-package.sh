#!/usr/bin/env bash
# Installs the package as its users get it: npm pack, then the tarball in an empty directory, where
# the addon is built without any of the development dependencies; then trains one step of each stage.
set -euo pipefail
cd "$(dirname "$0")/.."
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
npm pack --silent --ignore-scripts --pack-destination "$directory" >/dev/null
cd "$directory"
npm init -y >/dev/null
npm install --no-audit --no-fund ./kogrpo-*.tgz
npx --no-install kogrpo doctor
npx --no-install kogrpo train --output-dir run --sft.max_steps 1 --grpo.max_steps 1 \
  --eval.max_samples 8 --eval.max_completion_length 32 --grpo.max_completion_length 32
test -s run/summary.json
test -s run/rl/model.safetensors
# A user's own data: with npm install above, three commands from an empty directory to a trained model.
node -e 'for (let i = 0; i < 200; i++) console.log(JSON.stringify({
  question: `사과 ${i}개에 ${i % 7}개를 더하면?`, thinking: `${i}에 ${i % 7}을 더한다.`, answer: `${i + (i % 7)}개` }))' >my.jsonl
npx --no-install kogrpo init --data my.jsonl
npx --no-install kogrpo train recipe.yaml
test -s runs/recipe-*/sft/model.safetensors
