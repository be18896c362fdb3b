/**
 * What `kogrpo plan` says of the miniature on this machine, over what a run of it takes, on one and on two ranks:
 *
 *   npx tsc -p tsconfig.json && node bench/plan.mjs bench/results/plan.json
 *
 * The run comes first (medians of its steps from the third on), since its mean lengths are the plan's input;
 * the plan is made three times, and each phase's middle taken. All of it three times over, since a machine that
 * others use has good and bad minutes; every call is kept. On idle cores: three minutes.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../dist/cli/main.js')
const PHASES = { sampling: 'gen', training: 'update_actor', optimizer: 'optimizer' }
const CALLS = [1, 2, 3]
/** Of a GRPO step of recipes/mini.yaml. */
const COMPLETIONS = 256
const STEPS = ['--sft.max_steps', '12', '--grpo.max_steps', '12', '--eval', 'null']
const [output] = process.argv.slice(2)
if (output === undefined) throw new Error('give the file to write: node bench/plan.mjs FILE')

const median = values => values.toSorted((a, b) => a - b)[values.length >> 1]
const short = x => Number(x.toPrecision(3))

function kogrpo(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`kogrpo ${args.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}

/** Medians of the steps of a stage, by metric. */
function measured(directory, stage) {
  const rows = readFileSync(join(directory, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
    .filter(row => row.stage === stage && row.step > 2)
  return key => median(rows.map(row => row[key]))
}

function compare(call, ranks, directory) {
  const run = ['train', 'mini', ...STEPS, '--output-dir', directory]
  const logs = ['--log-dir', `${directory}-logs`]
  kogrpo(...(ranks === 1 ? run : ['launch', '--nproc-per-node', String(ranks), ...logs, ...run]))
  const grpo = measured(directory, 'grpo')
  const completion = grpo('completions/mean_length')
  const prompt = grpo('perf/total_num_tokens') / COMPLETIONS - completion
  const lengths = [
    '--prompt-tokens',
    Math.round(prompt),
    '--completion-tokens',
    Math.round(completion),
  ]
  const args = ['plan', 'mini', '--json', '--ranks', ranks, ...lengths].map(String)
  const plans = [1, 2, 3].map(() => JSON.parse(kogrpo(...args)).asked)
  return plans[0].map(({ stage, phases }, s) => {
    const of = measured(directory, stage)
    const rows = phases.map(({ name }, p) => ({
      phase: name,
      predicted_s: median(plans.map(plan => plan[s].phases[p].seconds)),
      measured_s: of(`timing_s/${PHASES[name]}`),
    }))
    const predicted = rows.reduce((sum, row) => sum + row.predicted_s, 0)
    rows.push({ phase: 'step', predicted_s: predicted, measured_s: of('timing_s/step') })
    return {
      ...{ call, ranks, stage },
      phases: rows.map(({ phase, predicted_s, measured_s }) => ({
        ...{ phase, predicted_s: short(predicted_s), measured_s: short(measured_s) },
        ratio: short(predicted_s / measured_s),
      })),
    }
  })
}

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-plan-'))
try {
  const results = CALLS.flatMap(call =>
    [1, 2].flatMap(ranks => compare(call, ranks, join(directory, `${call}-ranks-${ranks}`))),
  )
  writeFileSync(output, `${JSON.stringify(results, null, 1)}\n`)
  for (const { call, ranks, stage, phases } of results)
    for (const { phase, ratio } of phases)
      console.log(`call ${call}, ranks ${ranks}, ${stage}, ${phase}: ${ratio}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
