// Remakes the miniature's base model (assets/mini/model.safetensors) by recipes/mini-base.yaml, and
// records the run's first steps and the weights' hash (assets/mini/base-run.json), which the tests
// hold the engine to. Ten minutes on two cores. Usage: node scripts/make-mini-base.mjs [--check]
// With --check nothing is written: the new weights must equal the committed ones byte for byte.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

// An option that is none must not write over what it was to check.
const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values
const root = fileURLToPath(new URL('..', import.meta.url))
const assets = join(root, 'assets/mini')
const run = join(mkdtempSync(join(tmpdir(), 'kogrpo-mini-base-')), 'run')
const command = [join(root, 'dist/cli/main.js'), 'train', 'mini-base', '--output-dir', run]
const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)

const weights = readFileSync(join(run, 'pretrain/model.safetensors'))
if (check) {
  const same = weights.equals(readFileSync(join(assets, 'model.safetensors')))
  console.log(
    same ? 'the weights are the committed ones' : 'the weights DIFFER from the committed ones',
  )
  process.exit(same ? 0 : 1)
}
const metrics = readFileSync(join(run, 'metrics.jsonl'), 'utf8').split('\n').slice(0, 3)
const steps = metrics
  .map(line => JSON.parse(line))
  .map(({ loss, grad_norm }) => ({ loss, grad_norm }))
const record = { weights_sha256: createHash('sha256').update(weights).digest('hex'), steps }
copyFileSync(join(run, 'pretrain/model.safetensors'), join(assets, 'model.safetensors'))
writeFileSync(join(assets, 'base-run.json'), `${JSON.stringify(record, null, 2)}\n`)
