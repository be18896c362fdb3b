// The miniature's SFT and GRPO, 50 steps each, on 1 to 4 processes under every sharding (issue 6):
// every run must give what one process gives, to the bit: metrics (timings aside), completions and
// weights. recipe.yaml has few prompts a step, so that
// sixteen runs take minutes.
//
//   npx tsc -p tsconfig.json && node bench/shard/run.mjs [RESULT.json]
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isTimingKey } from '../../dist/report/events.js'

const result = process.argv[2] ?? 'bench/results/shard.json'

const hash = data => createHash('sha256').update(data).digest('hex').slice(0, 16)
const lines = file =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

/** What a finished run has in its directory: hashes, and the losses by step. */
function outcome(directory) {
  const metrics = lines(join(directory, 'metrics.jsonl')).map(row =>
    Object.fromEntries(Object.entries(row).filter(([key]) => !isTimingKey(key) && key !== 'time')),
  )
  const steps = metrics.filter(row => row.grad_norm !== undefined)
  return {
    steps: steps.length,
    last: steps
      .map(({ stage, step, loss, grad_norm }) => ({ stage, step, loss, grad_norm }))
      .at(-1),
    metrics: hash(JSON.stringify(metrics)),
    completions: hash(readFileSync(join(directory, 'completions.jsonl'))),
    sft: hash(readFileSync(join(directory, 'sft', 'model.safetensors'))),
    rl: hash(readFileSync(join(directory, 'rl', 'model.safetensors'))),
  }
}

async function train(directory, ranks, shard) {
  const launch = ['launch', '--nproc-per-node', ranks, '--log-dir', `${directory}-logs`]
  const train = ['train', 'bench/shard/recipe.yaml', '--output-dir', directory, '--shard', shard]
  const child = spawn('node', ['dist/cli/main.js', ...launch, ...train].map(String), {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', chunk => {
    errors += chunk
  })
  const code = await new Promise(resolve => child.on('close', resolve))
  if (code !== 0) throw new Error(`${shard} on ${ranks}: exit code ${code}\n${errors.slice(-2000)}`)
}

const machine = { cpu: cpus()[0].model, cores: cpus().length, load: loadavg()[0] }
const runs = []
for (const ranks of [1, 2, 3, 4]) {
  for (const shard of ['none', 'optimizer', 'gradients', 'parameters']) {
    const directory = mkdtempSync(join(tmpdir(), 'kogrpo-shard-'))
    const began = performance.now()
    await train(directory, ranks, shard)
    const seconds = Number(((performance.now() - began) / 1000).toFixed(1))
    runs.push({ ranks, shard, seconds, ...outcome(directory) })
    for (const made of [directory, `${directory}-logs`]) rmSync(made, { recursive: true })
    const first = runs[0]
    const { metrics, completions, sft, rl } = runs.at(-1)
    const same =
      metrics === first.metrics &&
      completions === first.completions &&
      sft === first.sft &&
      rl === first.rl
    console.log(`${ranks} × ${shard}: ${seconds} s, ${same ? 'equal' : 'ANOTHER RESULT'}`)
    if (!same) process.exitCode = 1
    const record = { date: new Date().toISOString(), machine, runs }
    writeFileSync(result, `${JSON.stringify(record, null, 1)}\n`)
  }
}
