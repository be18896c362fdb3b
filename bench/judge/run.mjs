/**
 * The miniature's own judge, measured: trains it (recipes/mini-judge.yaml), calibrates it on held-out
 * labelled answers and on what a policy writes, and lets it decide a short RL run by `both` (local) and by `veto`, beside two
 * that begin at the same fine-tuned model: checker alone, and checker with the exact judge. Writes calibration.json,
 * calibration-policy.json and effect.json here. About half an hour of processor time; what a stopped call had finished is kept.
 *
 *   npx tsc -p tsconfig.json && node bench/judge/run.mjs [work directory] [--threads N]
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadRecipe } from '../../dist/config/load.js'
import { pairedDifference } from '../../dist/eval/statistics.js'
import { splitThinking } from '../../dist/rewards/think.js'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const CLI = join(HERE, '../../dist/cli/main.js')
const args = process.argv.slice(2)
const flag = args.indexOf('--threads')
const [threads] = flag < 0 ? ['0'] : args.splice(flag, 2).slice(1)
const work = args[0] ?? 'runs/judge'

const kogrpo = words => {
  const { status } = spawnSync(process.execPath, [CLI, ...words], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** Runs a recipe into `work/name` unless that is done, or goes on with it. */
const train = (name, done, words) => {
  const directory = join(work, name)
  if (existsSync(join(directory, done))) return
  const begun = existsSync(join(directory, 'checkpoints'))
  kogrpo(
    begun
      ? ['train', '--resume', directory]
      : ['train', ...words, '--threads', threads, '--output-dir', directory, '--overwrite'],
  )
}

const judge = join(work, 'judge', 'sft')
train('judge', 'sft/config.json', ['mini-judge'])
const calibrate = (file, output) =>
  kogrpo([
    ...['judge', 'calibrate', file, '--config', 'mini-local-judge', '--threads', threads],
    ...['--judge.path', judge, '--judge.name', 'mini-judge', '--output', join(HERE, output)],
  ])
calibrate('mini:judge-eval', 'calibration.json')

// A short form of recipes/mini.yaml: half of its steps, three eighths of its completions.
const short = [
  ...['--grpo.max_steps', '40', '--grpo.per_device_train_batch_size', '32'],
  ...['--grpo.gradient_accumulation_steps', '3', '--eval.max_samples', '500'],
]
train('sft', 'sft/config.json', ['mini', ...short, '--grpo', 'null', '--eval', 'null'])
const start = ['--sft', 'null', '--model.path', join(work, 'sft', 'sft')]
train('none', 'summary.json', ['mini', ...short, ...start, '--grpo.oracle.rule', 'none'])
train('program', 'summary.json', ['mini', ...short, ...start])
const own = ['mini-local-judge', ...short, ...start, '--grpo.oracle.judge.path', judge]
train('local', 'summary.json', [...own, '--grpo.oracle.rule', 'both'])
train('veto', 'summary.json', own)

// The collapse recipe, where the checker is lenient: alone it is hacked (bench/collapse). Does this judge hold it?
const collapse = ['collapse', '--eval.max_samples', '500', '--grpo.eval_steps', '0']
train('lenient/sft', 'sft/config.json', [...collapse, '--grpo', 'null', '--eval', 'null'])
const lenient = [...collapse, '--sft', 'null', '--model.path', join(work, 'lenient/sft', 'sft')]
train('lenient/checker', 'summary.json', lenient)
const { recipe } = loadRecipe('collapse')
const { judge: asked } = loadRecipe('mini-local-judge').recipe.grpo.oracle
recipe.grpo.oracle = { ...recipe.grpo.oracle, rule: 'both', judge: { ...asked, path: judge } }
const file = join(work, 'lenient.json')
writeFileSync(file, JSON.stringify(recipe))
train('lenient/judge', 'summary.json', [file, ...lenient.slice(1)])

// The judge on what a policy really writes: every fourth completion of the arm with the exact judge.
const written = readFileSync(join(work, 'program', 'completions.jsonl'), 'utf8')
  .trim()
  .split('\n')
const labelled = written
  .map(line => JSON.parse(line))
  .filter(({ stage, judge: right }) => stage === 'grpo' && right !== null)
  .filter((_, i) => i % 4 === 0)
  .map(({ prompt, completion, answer, judge: right }) => {
    const said = splitThinking(completion).answer
    return JSON.stringify({ question: prompt, reference: answer, answer: said, label: right })
  })
writeFileSync(join(work, 'policy.jsonl'), labelled.join('\n'))
calibrate(join(work, 'policy.jsonl'), 'calibration-policy.json')

/** The problems of an arm after RL: 1 where the answer is truly right. */
const outcomes = arm =>
  readFileSync(join(work, arm, 'completions.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
    .filter(({ stage }) => stage === 'rl')
    .map(({ judge: right }) => Number(right))

const arms = ['none', 'program', 'local', 'veto']
const difference = (before, after) => {
  const { value, ci95, n } = pairedDifference(outcomes(before), outcomes(after))
  return { difference: value, ci95: [ci95.low, ci95.high], n }
}
const summaries = arms.map(arm => {
  const { base, rl, oracle } = JSON.parse(readFileSync(join(work, arm, 'summary.json'), 'utf8'))
  if (oracle) delete oracle.judge
  return [arm, { sft: base, rl, oracle }]
})
/** True accuracy before and after RL on the collapse recipe's problems. */
const held = arm => {
  const { base, rl } = JSON.parse(readFileSync(join(work, arm, 'summary.json'), 'utf8'))
  return { sft: base, rl }
}
const effect = {
  what: 'true accuracy on 500 held-out problems before (sft) and after 40 RL steps of 96 completions, seed 42',
  arms: Object.fromEntries(summaries),
  paired: {
    local_minus_none: difference('none', 'local'),
    local_minus_program: difference('program', 'local'),
    program_minus_none: difference('none', 'program'),
    veto_minus_none: difference('none', 'veto'),
  },
  lenient: {
    what: 'the same of recipes/collapse.yaml, 140 RL steps of 96 completions, seed 1',
    arms: { checker: held('lenient/checker'), judge: held('lenient/judge') },
    judge_minus_checker: difference('lenient/checker', 'lenient/judge'),
  },
}
writeFileSync(join(HERE, 'effect.json'), `${JSON.stringify(effect, null, 2)}\n`)
console.log(JSON.stringify([effect.paired, effect.lenient], null, 2))
