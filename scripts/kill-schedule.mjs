/**
 * kill -9 at random instants: `node scripts/kill-schedule.mjs [--runs 200] [--seed 1] [--jobs 1]
 * [--output bench/reliability/kill-schedule.json]`.
 *
 * A tiny recipe (pretrain, SFT and GRPO with dynamic sampling, evaluations, a state after every step)
 * runs once undisturbed. Then, `runs` times: the same command is started, its process killed with
 * SIGKILL at an instant drawn from the seeded schedule, anywhere in the run's time, and started again
 * with `--resume auto`, until it ends; one run in four is killed a second time. What lies in the run
 * directory must then be what the undisturbed run left, byte by byte: models, the saved state,
 * metrics and completions, summary; measurements of time are left out, and nothing half-written may
 * be left over. Exits with 1 if any run differs. Uses the compiled program (npm run build:ts).
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CLI = join(ROOT, 'dist/cli/main.js')

const TINY = {
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  vocab_size: 1024,
  hidden_size: 16,
  intermediate_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  max_position_embeddings: 256,
  tie_word_embeddings: true,
  hidden_act: 'silu',
  initializer_range: 0.1,
}

/** @param {string} directory */
function writeModel(directory) {
  mkdirSync(directory)
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json']) {
    copyFileSync(join(ROOT, 'assets/mini', file), join(directory, file))
  }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(TINY))
}

/** @param {string} model */
function recipeOf(model) {
  const supervised = {
    data: [{ path: 'mini:sft', size: 5 }],
    max_steps: 4,
    per_device_train_batch_size: 2,
    max_length: 256,
    packing: false,
    learning_rate: 0.01,
    save_steps: 1,
  }
  return {
    seed: 3,
    threads: 1,
    model: { path: model, init: 'random' },
    pretrain: supervised,
    sft: { ...supervised, save_total_limit: 2 },
    grpo: {
      data: [{ path: 'mini:grpo', size: 3 }],
      max_steps: 6,
      num_generations: 4,
      num_iterations: 2,
      per_device_train_batch_size: 8,
      max_completion_length: 16,
      learning_rate: 0.005,
      beta: 0.01,
      save_steps: 1,
      dynamic_sampling: { mode: 'resample', max_rounds: 1 },
      rewards: [{ name: 'overlong', weight: 1, options: { soft_punish_cache: 16 } }],
    },
    eval: { data: [{ path: 'mini:eval' }], max_samples: 4, max_completion_length: 8 },
    logging: { report_seconds: 3600 },
  }
}

/** Numbers in [0, 1) that follow from the seed (mulberry32). @param {number} seed */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * Runs the command; kills it `killAfter` seconds after its first output unless it has ended.
 * @param {string[]} args @param {number | null} killAfter
 * @returns {Promise<{ code: number | null, signal: string | null, seconds: number, log: string }>}
 */
function kogrpo(args, killAfter) {
  return new Promise(resolve => {
    // The clock runs from the first word of the run: before it there is nothing to lose.
    let started = performance.now()
    /** @type {NodeJS.Timeout | null} */
    let timer = null
    const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let log = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', bytes => {
        if (log === '') {
          started = performance.now()
          if (killAfter !== null) timer = setTimeout(() => child.kill('SIGKILL'), killAfter * 1000)
        }
        log += bytes
      })
    }
    child.on('close', (code, signal) => {
      if (timer) clearTimeout(timer)
      resolve({ code, signal, seconds: (performance.now() - started) / 1000, log })
    })
  })
}

const TIMING = /^(timing_s\/|perf\/|step_time)/

/** The content of a file without measurements of time. @param {string} path */
function contentOf(path) {
  const bytes = readFileSync(path)
  if (path.endsWith('metrics.jsonl')) {
    const rows = bytes
      .toString()
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    return JSON.stringify(rows.map(row => Object.entries(row).filter(([key]) => !TIMING.test(key))))
  }
  if (path.endsWith('summary.json'))
    return JSON.stringify({ ...JSON.parse(bytes.toString()), wall_s: 0 })
  return bytes
}

/**
 * A hash by file. Left out: the page, which shows times; the run's own directory, which state.json
 * and config.json name (and with it the hash of state.json).
 * @param {string} directory @returns {Record<string, string>}
 */
function fingerprint(directory) {
  /** @type {Record<string, string>} */
  const files = {}
  const all = readdirSync(directory, { recursive: true, withFileTypes: true })
  for (const entry of all) {
    if (!entry.isFile() || entry.name === 'report.html' || entry.name === 'SHA256SUMS') continue
    const path = join(entry.parentPath ?? entry.path, entry.name)
    let content = contentOf(path)
    if (entry.name === 'state.json' || entry.name === 'config.json') {
      content = content.toString().replaceAll(JSON.stringify(directory).slice(1, -1), 'DIR')
    }
    files[relative(directory, path)] = createHash('sha256').update(content).digest('hex')
  }
  return files
}

/** What differs between two directories. @param {Record<string, string>} a @param {Record<string, string>} b */
function differences(a, b) {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(name => a[name] !== b[name])
}

/** Where a killed run stood: its states, and what it was writing. @param {string} directory */
function standing(directory) {
  try {
    return readdirSync(join(directory, 'checkpoints')).join(' ')
  } catch {
    return ''
  }
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    output: { type: 'string' },
  },
})
const [runs, seed, jobs] = [values.runs, values.seed, values.jobs].map(Number)
const parent = mkdtempSync(join(tmpdir(), 'kogrpo-kill-'))
writeModel(join(parent, 'model'))
const recipe = join(parent, 'recipe.json')
writeFileSync(recipe, JSON.stringify(recipeOf(join(parent, 'model'))))
/** @param {string} directory */
const command = directory => ['train', recipe, '--output-dir', directory, '--resume', 'auto']

// As many undisturbed runs at a time as there will be: their time is what the instants are drawn from.
const straight = join(parent, 'straight')
const undisturbed = await Promise.all(
  Array.from({ length: jobs }, (_, i) =>
    kogrpo(command(i === 0 ? straight : `${straight}-${i}`), null),
  ),
)
for (const { code, log } of undisturbed) {
  if (code !== 0) throw new Error(`an undisturbed run failed:\n${log}`)
}
const longest = undisturbed.reduce((sum, { seconds }) => sum + seconds, 0) / jobs
const expected = fingerprint(straight)
process.stderr.write(
  `undisturbed: ${longest.toFixed(2)} s, ${Object.keys(expected).length} files\n`,
)

const random = generator(seed)
const schedule = Array.from({ length: runs }, (_, run) => ({
  run,
  // In shares of the undisturbed run's time.
  kills: run % 4 === 3 ? [random(), random()] : [random()],
}))

const results = []
async function worker() {
  for (let next = schedule.shift(); next; next = schedule.shift()) {
    const directory = join(parent, `run-${next.run}`)
    const kills = []
    for (const share of next.kills) {
      const { signal } = await kogrpo(command(directory), share * longest)
      kills.push({
        share: Number(share.toFixed(6)),
        killed: signal === 'SIGKILL',
        left: standing(directory),
      })
      // Ended before its instant: a run that is whole is not begun again.
      if (signal !== 'SIGKILL') break
    }
    const last = kills.at(-1)
    const end = last.killed ? await kogrpo(command(directory), null) : { code: 0, log: '' }
    const differs = end.code === 0 ? differences(expected, fingerprint(directory)) : ['it failed']
    results.push({
      run: next.run,
      kills,
      equal: differs.length === 0,
      ...(differs.length > 0 ? { differs, log: end.log.slice(-2000) } : {}),
    })
    if (differs.length > 0)
      process.stderr.write(`run ${next.run}: ${differs.join(', ')}\n${end.log}\n`)
    else rmSync(directory, { recursive: true })
    process.stderr.write(
      `\r${results.length}/${runs}, ${results.filter(r => r.equal).length} equal `,
    )
  }
}
await Promise.all(Array.from({ length: jobs }, worker))
results.sort((a, b) => a.run - b.run)

const all = results.flatMap(({ kills }) => kills)
const report = {
  command: `node scripts/kill-schedule.mjs --runs ${runs} --seed ${seed} --jobs ${jobs}`,
  undisturbed_seconds: Number(longest.toFixed(2)),
  runs,
  equal: results.filter(({ equal }) => equal).length,
  kills: all.filter(({ killed }) => killed).length,
  ended_before_their_kill: all.filter(({ killed }) => !killed).length,
  killed_before_the_first_state: all.filter(
    ({ killed, left }) => killed && !/(^| )state-/.test(left),
  ).length,
  killed_while_a_state_was_written: all.filter(
    ({ killed, left }) => killed && /\.partial|\.old/.test(left),
  ).length,
  results,
}
process.stderr.write('\n')
if (values.output) writeFileSync(values.output, `${JSON.stringify(report, null, 1)}\n`)
else process.stdout.write(`${JSON.stringify({ ...report, results: undefined }, null, 2)}\n`)
if (report.equal === runs) rmSync(parent, { recursive: true })
process.exitCode = report.equal === runs ? 0 : 1
