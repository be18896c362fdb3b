/**
 * Makes every curve of the collapse experiment, the table and the plot:
 *
 *   npx tsc -p tsconfig.json && node bench/collapse/run.mjs
 *
 * For each of five seeds one SFT model, and from it both arms of recipes/collapse.yaml: `checker`
 * (grpo.oracle.rule observe) and `oracle` (rule both), every other key equal. Two processes of one
 * thread each run at a time. Finished runs are kept and not made again; an arm that was stopped by
 * Ctrl-C is taken up where it was. Options: --seeds 1,2,3,4,5  --jobs 2  --runs DIR.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeResults } from './results.mjs'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
const MAIN = join(ROOT, 'dist/cli/main.js')
const RULES = { checker: 'observe', oracle: 'both' }

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1,2,3,4,5' },
    jobs: { type: 'string', default: '2' },
    runs: { type: 'string', default: join(ROOT, 'runs/collapse') },
  },
})
const seeds = values.seeds.split(',').map(Number)
if (!seeds.every(seed => Number.isInteger(seed) && seed >= 0)) {
  throw new Error(`--seeds ${values.seeds}: give whole numbers with commas between`)
}
if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing; first: npx tsc -p tsconfig.json`)

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

/** Trains into `directory` unless that is done; goes on with what was stopped there. */
async function train(directory, args) {
  if (existsSync(join(directory, 'summary.json'))) return
  stop.signal.throwIfAborted()
  mkdirSync(directory, { recursive: true })
  const checkpoints = join(directory, 'checkpoints')
  const stopped =
    existsSync(checkpoints) && readdirSync(checkpoints).some(name => name.startsWith('state-'))
  const command = stopped
    ? ['train', '--resume', directory]
    : ['train', join(ROOT, 'recipes/collapse.yaml'), ...args, '--threads', '1']
  const target = stopped ? [] : ['--output-dir', directory, '--overwrite']
  const log = openSync(`${directory}.log`, 'a')
  console.log(`${stopped ? 'going on with' : 'running'} ${directory}`)
  const started = performance.now()
  const child = spawn(process.execPath, [MAIN, ...command, ...target], {
    stdio: ['ignore', log, log],
  })
  const forward = () => child.kill('SIGINT')
  stop.signal.addEventListener('abort', forward)
  const [code, signal] = await new Promise(resolve => {
    child.on('exit', (...end) => resolve(end))
  })
  stop.signal.removeEventListener('abort', forward)
  stop.signal.throwIfAborted()
  if (code !== 0) throw new Error(`${directory} ended with ${code ?? signal}; see ${directory}.log`)
  console.log(`${directory}: ${((performance.now() - started) / 60_000).toFixed(1)} min`)
}

const directory = (seed, name) => join(values.runs, `seed-${seed}`, name)
const models = new Map()

/** The SFT model of a seed, made once for both arms. */
function sft(seed) {
  const path = directory(seed, 'sft')
  if (!models.has(seed)) {
    models.set(seed, train(path, ['--seed', String(seed), '--grpo', 'null']))
  }
  return models.get(seed).then(() => join(path, 'sft'))
}

const queue = seeds.flatMap(seed => Object.keys(RULES).map(arm => ({ seed, arm })))
async function worker() {
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { seed, arm } = next
    const model = await sft(seed)
    const start = ['--seed', String(seed), '--sft', 'null', '--model.path', model]
    await train(directory(seed, arm), [...start, '--grpo.oracle.rule', RULES[arm]])
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, worker))
writeResults(values.runs, seeds, dirname(fileURLToPath(import.meta.url)))
