/**
 * A run of a few hundred milliseconds that is killed and taken up again, and what it left: shared by
 * kill-schedule.mjs (random instants) and test/train/durable/kill.test.ts (chosen ones). It is the compiled
 * program (npm run build:ts): pretrain, SFT and GRPO with dynamic sampling, evaluations, a state after every step.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

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

/** A model directory without weights. @param {string} directory */
export function writeModel(directory) {
  mkdirSync(directory)
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json']) {
    copyFileSync(join(ROOT, 'assets/mini', file), join(directory, file))
  }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(TINY))
}

/**
 * The recipe on that model. `one_step_off` has no second pass over a round: a round ahead is pending instead.
 * @param {string} model @param {'on_policy' | 'one_step_off'} rolloutMode
 */
export function recipeOf(model, rolloutMode) {
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
      rollout_mode: rolloutMode,
      num_iterations: rolloutMode === 'on_policy' ? 2 : 1,
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

/**
 * Runs the command; kills it `killAfter` seconds after its first output unless it has ended.
 * @param {string[]} args @param {{ killAfter?: number, env?: Record<string, string> }} [options]
 * @returns {Promise<{ code: number | null, signal: string | null, seconds: number, log: string }>}
 */
export function kogrpo(args, { killAfter, env } = {}) {
  return new Promise(resolve => {
    // The clock runs from the first word of the run: before it there is nothing to lose.
    let started = performance.now()
    /** @type {NodeJS.Timeout | null} */
    let timer = null
    const child = spawn(process.execPath, [CLI, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    let log = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', bytes => {
        if (log === '') {
          started = performance.now()
          if (killAfter !== undefined)
            timer = setTimeout(() => child.kill('SIGKILL'), killAfter * 1000)
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
export function fingerprint(directory) {
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
export function differences(a, b) {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(name => a[name] !== b[name])
}
