/** Every command: what its first line of help says, and the module that is loaded when it is given. */
import type { CommandFile } from './command-file.ts'

interface CommandEntry {
  /** As yargs has it, after the command's first word where it has two ("data check"). */
  usage: string
  describe: string
  load(): Promise<CommandFile>
}

/** Every command by its words. */
export const COMMANDS: Record<string, CommandEntry> = {
  train: {
    usage: 'train [recipe]',
    describe: 'Train a model by a recipe (without one: the miniature, in a few minutes)',
    load: () => import('./commands/train.ts'),
  },
  init: {
    usage: 'init [recipe]',
    describe: 'Write a commented recipe for your data and this machine',
    load: () => import('./commands/init.ts'),
  },
  generate: {
    usage: 'generate',
    describe: 'Complete the prompts of a JSONL file',
    load: () => import('./commands/generate.ts'),
  },
  score: {
    usage: 'score',
    describe: 'Log-probabilities and entropies of the tokens of a JSONL file',
    load: () => import('./commands/score.ts'),
  },
  eval: {
    usage: 'eval',
    describe: 'Evaluate a model on a benchmark',
    load: () => import('./commands/eval.ts'),
  },
  'eval compare': {
    usage: 'compare <rows..>',
    describe: 'Put evaluations of several checkpoints on one table',
    load: () => import('./commands/eval-compare.ts'),
  },
  'eval diversity': {
    usage: 'diversity [recipe]',
    describe: 'pass@1 to pass@k, distinct right answers, entropies of a model',
    load: () => import('./commands/eval-diversity.ts'),
  },
  'rl-check': {
    usage: 'rl-check [recipe]',
    describe: 'Say whether a model is ready for the grpo stage of a recipe',
    load: () => import('./commands/rl-check.ts'),
  },
  replay: {
    usage: 'replay <file>',
    describe: 'Compute a batch again that gave NaN or infinity, and say where it arose',
    load: () => import('./commands/replay.ts'),
  },
  launch: {
    usage: 'launch',
    describe: 'Start the ranks of a training on this machine, or its part of several machines',
    load: () => import('./commands/launch.ts'),
  },
  plan: {
    usage: 'plan <recipe>',
    describe: 'Predict memory, communication and time of a recipe on this machine or on GPUs',
    load: () => import('./commands/plan.ts'),
  },
  report: {
    usage: 'report <runs..>',
    describe: 'Make the report page of a run, compare runs, or watch one',
    load: () => import('./commands/report.ts'),
  },
  'data check': {
    usage: 'check <input>',
    describe: 'Show what a data file or the data of a recipe holds, and what is wrong with it',
    load: () => import('./commands/data-check.ts'),
  },
  'data prepare': {
    usage: 'prepare <input>',
    describe: 'Clean, filter, deduplicate and split a data file',
    load: () => import('./commands/data-prepare.ts'),
  },
  'data commonsense': {
    usage: 'commonsense',
    describe: 'Generate questions of Korean commonsense in 1 to 6 steps',
    load: () => import('./commands/data-commonsense.ts'),
  },
  'corpus filter': {
    usage: 'filter <inputs..>',
    describe: 'Filter a corpus: rules, duplicates, perplexity',
    load: () => import('./commands/corpus-filter.ts'),
  },
  'data difficulty': {
    usage: 'difficulty [recipe]',
    describe: 'Measure how often a model solves each prompt, for a curriculum',
    load: () => import('./commands/data-difficulty.ts'),
  },
  'data self-correct': {
    usage: 'self-correct <input>',
    describe: 'Make Korean self-correction samples of wrong attempts',
    load: () => import('./commands/data-self-correct.ts'),
  },
  'judge calibrate': {
    usage: 'calibrate <file>',
    describe: 'Measure a judge on labelled answers before it is trusted',
    load: () => import('./commands/judge.ts'),
  },
  neurons: {
    usage: 'neurons',
    describe: 'Find the neurons of a language, for a stage that trains these alone',
    load: () => import('./commands/neurons.ts'),
  },
  'extend-vocab': {
    usage: 'extend-vocab <model>',
    describe: 'Write a model with new tokens',
    load: () => import('./commands/extend-vocab.ts'),
  },
  merge: {
    usage: 'merge <adapter>',
    describe: 'Write a model with a LoRA adapter in its weights',
    load: () => import('./commands/merge.ts'),
  },
  'reward train': {
    usage: 'train',
    describe: 'Learn a reward per token from expert traces',
    load: () => import('./commands/reward-train.ts'),
  },
  rerank: {
    usage: 'rerank',
    describe: 'Choose the best of several samples by a reward model',
    load: () => import('./commands/rerank.ts'),
  },
  smooth: {
    usage: 'smooth <model>',
    describe: 'Write a model that hardly writes Chinese',
    load: () => import('./commands/smooth.ts'),
  },
  serve: {
    usage: 'serve [model]',
    describe: "A model over HTTP, in OpenAI's protocol",
    load: () => import('./commands/serve.ts'),
  },
  bench: {
    usage: 'bench',
    describe: 'Measure the engine on this machine',
    load: () => import('./commands/bench.ts'),
  },
  experiments: {
    usage: 'experiments [name]',
    describe: "Repeat the neighbouring papers' claims at toy size",
    load: () => import('./commands/experiments.ts'),
  },
  'selftest planning': {
    usage: 'planning',
    describe: 'Check on a toy problem that RL narrows and is held open by the KL',
    load: () => import('./commands/selftest-planning.ts'),
  },
  completion: {
    usage: 'completion [shell]',
    describe: 'Print what lets bash or zsh complete command lines of kogrpo',
    load: () => import('./commands/completion.ts'),
  },
  doctor: {
    usage: 'doctor',
    describe: 'Say what this machine can run, and why not the rest',
    load: () => import('./commands/doctor.ts'),
  },
}
