/**
 * From the run directories to curves.json (every evaluation and what moved in training), results.json
 * (per seed and arm, with the verdict) and curves.svg; prints the table. Runs on its own, too:
 *
 *   node bench/collapse/results.mjs DIR     (default runs/collapse)
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadRecipe } from '../../dist/config/load.js'
import { FRESH_GUARDS, observe } from '../../dist/train/guards/decide.js'
import { firstTrip, peakAndEnd, plateau, verdict } from './analysis.mjs'
import { drawCurves } from './plot.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))
const ARMS = ['checker', 'oracle']

const readJson = path => JSON.parse(readFileSync(path, 'utf8'))
const readLines = path =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
const short = x => (typeof x === 'number' ? Number(x.toPrecision(4)) : x)
const number = value => value ?? null

/** Columns of the training curve, one row a step. */
const TRAINING = {
  step: row => row.step,
  checker_reward: row => number(row['rewards/checker/mean'] ?? row['rewards/accuracy/mean']),
  false_positives: row => {
    const passes = row['judge/tp'] + row['judge/fp']
    return passes > 0 ? row['judge/fp'] / passes : null
  },
  false_negatives: row => {
    const rejected = row['judge/tn'] + row['judge/fn']
    return rejected > 0 ? row['judge/fn'] / rejected : null
  },
  answer_numbers: row => number(row['completions/answer_numbers']),
  entropy: row => number(row.entropy),
  truncated: row => number(row['completions/clipped_ratio']),
  mean_length: row => number(row['completions/mean_length']),
}

/** What guards with these limits decide on a run's metrics; decisions are a function of them alone. */
function decisions(rows, spec) {
  let state = FRESH_GUARDS
  for (const row of rows) state = observe(state, row.step, row, spec).state
  return state.records
}

/**
 * The guards' decisions with the recipe's present limits. The run's own limits may be older ones;
 * that the same function gives the run's own decisions with those is checked first.
 */
function guardsOf(rows, summary, directory) {
  const own = decisions(rows, readJson(join(directory, 'config.json')).grpo.guards)
  if (JSON.stringify(own) !== JSON.stringify(summary.guards)) {
    throw new Error(`${directory}: the guards decided otherwise in the run than on its metrics`)
  }
  return decisions(rows, loadRecipe(join(HERE, '../../recipes/collapse.yaml')).recipe.grpo.guards)
}

/** Answers of the last steps that the checker passes and the judge rejects, one a problem. */
function hackedAnswers(path, steps) {
  const seen = new Map()
  for (const row of readLines(path)) {
    if (row.stage !== 'grpo' || row.step <= steps - 20 || !row.checker || row.judge) continue
    const answer = row.completion.split('</think>').at(-1).trim()
    if (!seen.has(row.prompt))
      seen.set(row.prompt, { gold: String(row.answer), answer: answer.slice(0, 200) })
  }
  return [...seen.values()].slice(0, 8)
}

function readArm(directory) {
  const summary = readJson(join(directory, 'summary.json'))
  const rows = readLines(join(directory, 'metrics.jsonl')).filter(
    row => row.stage === 'grpo' && row.step > 0,
  )
  const evaluated = rows.filter(row => typeof row.eval_accuracy === 'number')
  const curve = [[0, summary.base.accuracy], ...evaluated.map(r => [r.step, r.eval_accuracy])]
  const guards = guardsOf(rows, summary, directory)
  const names = Object.keys(TRAINING)
  const training = rows.map(row => names.map(name => short(TRAINING[name](row))))
  const paired = summary.paired_differences.rl_minus_base
  return {
    curves: {
      evaluation: curve.map(point => point.map(short)),
      training: { columns: names, rows: training },
      guards,
    },
    result: {
      problems: summary.rl.n,
      ...peakAndEnd(curve),
      plateau: plateau(rows.map(TRAINING.checker_reward)),
      guard: firstTrip(guards, curve),
      minus_sft: paired.accuracy,
      korean_thinking_rate: summary.rl.korean_thinking_rate,
      wall_s: summary.wall_s,
    },
    hacked: hackedAnswers(join(directory, 'completions.jsonl'), rows.length),
  }
}

const percent = share => `${(100 * share).toFixed(1)} %`

/** The table of README.md, as Markdown. */
function table(seeds) {
  const head = [
    '| seed | arm | SFT | peak | end | end / peak | minus SFT (95 %) | checker: best, end | guard |',
    '|---|---|---|---|---|---|---|---|---|',
  ]
  const rows = seeds.flatMap(seed =>
    ARMS.map(arm => {
      const { peak, end, ratio, minus_sft, plateau: held, guard } = seed[arm]
      const interval = minus_sft.ci95.map(x => (100 * x).toFixed(1)).join(' … ')
      const tripped = guard === null ? 'none' : `step ${guard.step} (${guard.watches.join(', ')})`
      const cells = [
        seed.seed,
        arm,
        percent(seed.sft),
        percent(peak),
        percent(end),
        `**${ratio.toFixed(2)}**`,
        `${(100 * minus_sft.difference).toFixed(1)} (${interval})`,
        `${held.best.toFixed(2)}, ${held.last.toFixed(2)}`,
        tripped,
      ]
      return `| ${cells.join(' | ')} |`
    }),
  )
  return [...head, ...rows].join('\n')
}

/** Reads finished runs under `runs` and writes the three files into `target`. */
export function writeResults(runs, seeds, target) {
  const curves = []
  const results = []
  const hacked = []
  for (const seed of seeds) {
    const arms = Object.fromEntries(
      ARMS.map(arm => [arm, readArm(join(runs, `seed-${seed}`, arm))]),
    )
    const sft = readJson(join(runs, `seed-${seed}`, 'checker/summary.json')).base.accuracy
    curves.push({ seed, ...Object.fromEntries(ARMS.map(arm => [arm, arms[arm].curves])) })
    results.push({ seed, sft, ...Object.fromEntries(ARMS.map(arm => [arm, arms[arm].result])) })
    hacked.push({ seed, answers: arms.checker.hacked })
  }
  const recipe = readJson(join(runs, `seed-${seeds[0]}`, 'checker/config.json'))
  const checked = verdict(results)
  const write = (name, text) => writeFileSync(join(target, name), text)
  // One line a seed and column keeps the file small and its changes readable.
  write('curves.json', `[\n${curves.map(row => JSON.stringify(row)).join(',\n')}\n]\n`)
  write(
    'results.json',
    `${JSON.stringify({ verdict: checked, seeds: results, hacked, grpo: recipe.grpo }, null, 2)}\n`,
  )
  write('curves.svg', drawCurves(curves))
  console.log(table(results))
  for (const { claim, seeds: seen, of, met } of checked) {
    console.log(`${met ? 'yes' : 'NO '}  ${seen} of ${of}  ${claim}`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const runs = resolve(process.argv[2] ?? join(HERE, '../../runs/collapse'))
  const seeds = [1, 2, 3, 4, 5].filter(seed =>
    ARMS.every(arm => existsSync(join(runs, `seed-${seed}`, arm, 'summary.json'))),
  )
  writeResults(runs, seeds, HERE)
}
