/**
 * The command `kogrpo`. The first argument names a command, whose module is loaded only then, so
 * that help is instant. Exit codes: 0 done, 1 failed, 2 mistyped, 130 / 143 stopped by a signal.
 */
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Argv, CommandModule, Options } from 'yargs'
import yargs from 'yargs'
import { didYouMean } from '../config/nearest.ts'
import { messageOf } from '../errors.ts'
import { speak } from '../messages/language.ts'
import {
  failure,
  inEnglish,
  joined,
  type Phrase,
  phrase,
  type Say,
  verbatim,
} from '../messages/phrase.ts'
import { packageVersion } from '../version.ts'
import { type CliContext, type ProcessContext, processContext } from './context.ts'
import { describeError, exitCodeOf, UsageError } from './errors.ts'
import { describeIn, speakHelp } from './help-language.ts'
import { takeLanguage } from './language-option.ts'

/** What a module lib/cli/<command>.ts exports. */
export interface CommandFile {
  /** A yargs CommandModule, of whatever arguments. */
  command: {
    describe?: string | false
    builder?: unknown
    handler(argv: never): void | Promise<void>
  }
  /**
   * Takes out of the arguments what yargs cannot read, before it does; `extra` is added to `argv`.
   */
  prepare?(args: readonly string[]): { args: string[]; extra: Record<string, unknown> }
}

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
    load: () => import('./train.ts'),
  },
  init: {
    usage: 'init [recipe]',
    describe: 'Write a commented recipe for your data and this machine',
    load: () => import('./init.ts'),
  },
  generate: {
    usage: 'generate',
    describe: 'Complete the prompts of a JSONL file',
    load: () => import('./generate.ts'),
  },
  score: {
    usage: 'score',
    describe: 'Log-probabilities and entropies of the tokens of a JSONL file',
    load: () => import('./score.ts'),
  },
  eval: {
    usage: 'eval',
    describe: 'Evaluate a model on a benchmark',
    load: () => import('./eval.ts'),
  },
  'eval compare': {
    usage: 'compare <rows..>',
    describe: 'Put evaluations of several checkpoints on one table',
    load: () => import('./eval-compare.ts'),
  },
  'eval diversity': {
    usage: 'diversity [recipe]',
    describe: 'pass@1 to pass@k, distinct right answers, entropies of a model',
    load: () => import('./eval-diversity.ts'),
  },
  'rl-check': {
    usage: 'rl-check [recipe]',
    describe: 'Say whether a model is ready for the grpo stage of a recipe',
    load: () => import('./rl-check.ts'),
  },
  replay: {
    usage: 'replay <file>',
    describe: 'Compute a batch again that gave NaN or infinity, and say where it arose',
    load: () => import('./replay.ts'),
  },
  launch: {
    usage: 'launch',
    describe: 'Start the ranks of a training on this machine, or its part of several machines',
    load: () => import('./launch.ts'),
  },
  plan: {
    usage: 'plan <recipe>',
    describe: 'Predict memory, communication and time of a recipe on GPUs',
    load: () => import('./plan.ts'),
  },
  report: {
    usage: 'report <runs..>',
    describe: 'Make the report page of a run, compare runs, or watch one',
    load: () => import('./report.ts'),
  },
  'data check': {
    usage: 'check <input>',
    describe: 'Show what a data file or the data of a recipe holds, and what is wrong with it',
    load: () => import('./data-check.ts'),
  },
  'data prepare': {
    usage: 'prepare <input>',
    describe: 'Clean, filter, deduplicate and split a data file',
    load: () => import('./data-prepare.ts'),
  },
  'data commonsense': {
    usage: 'commonsense',
    describe: 'Generate questions of Korean commonsense in 1 to 6 steps',
    load: () => import('./data-commonsense.ts'),
  },
  'corpus filter': {
    usage: 'filter <inputs..>',
    describe: 'Filter a corpus: rules, duplicates, perplexity',
    load: () => import('./corpus-filter.ts'),
  },
  'data difficulty': {
    usage: 'difficulty [recipe]',
    describe: 'Measure how often a model solves each prompt, for a curriculum',
    load: () => import('./data-difficulty.ts'),
  },
  'data self-correct': {
    usage: 'self-correct <input>',
    describe: 'Make Korean self-correction samples of wrong attempts',
    load: () => import('./data-self-correct.ts'),
  },
  'judge calibrate': {
    usage: 'calibrate <file>',
    describe: 'Measure a judge on labelled answers before it is trusted',
    load: () => import('./judge.ts'),
  },
  neurons: {
    usage: 'neurons',
    describe: 'Find the neurons of a language, for a stage that trains these alone',
    load: () => import('./neurons.ts'),
  },
  'extend-vocab': {
    usage: 'extend-vocab <model>',
    describe: 'Write a model with new tokens',
    load: () => import('./extend-vocab.ts'),
  },
  merge: {
    usage: 'merge <adapter>',
    describe: 'Write a model with a LoRA adapter in its weights',
    load: () => import('./merge.ts'),
  },
  'reward train': {
    usage: 'train',
    describe: 'Learn a reward per token from expert traces',
    load: () => import('./reward-train.ts'),
  },
  rerank: {
    usage: 'rerank',
    describe: 'Choose the best of several samples by a reward model',
    load: () => import('./rerank.ts'),
  },
  smooth: {
    usage: 'smooth <model>',
    describe: 'Write a model that hardly writes Chinese',
    load: () => import('./smooth.ts'),
  },
  serve: {
    usage: 'serve [model]',
    describe: "A model over HTTP, in OpenAI's protocol",
    load: () => import('./serve.ts'),
  },
  bench: {
    usage: 'bench',
    describe: 'Measure the engine on this machine',
    load: () => import('./bench.ts'),
  },
  experiments: {
    usage: 'experiments [name]',
    describe: "Repeat the neighbouring papers' claims at toy size",
    load: () => import('./experiments.ts'),
  },
  'selftest planning': {
    usage: 'planning',
    describe: 'Check on a toy problem that RL narrows and is held open by the KL',
    load: () => import('./selftest-planning.ts'),
  },
  completion: {
    usage: 'completion [shell]',
    describe: 'Print what lets bash or zsh complete command lines of kogrpo',
    load: () => import('./completion.ts'),
  },
  doctor: {
    usage: 'doctor',
    describe: 'Say what this machine can run, and why not the rest',
    load: () => import('./doctor.ts'),
  },
}

/** `list`: the command takes any number of words, which yargs sees as one option given again. */
function parser(say: Say, group = '', list = false): Argv {
  const parser = yargs()
    .scriptName(`kogrpo${group}`)
    .locale('en')
    .exitProcess(false)
    .parserConfiguration({ 'duplicate-arguments-array': list })
    .version(packageVersion())
    .alias('help', 'h')
    .wrap(100)
  speakHelp(parser, say)
  return parser.option('lang', {
    type: 'string',
    requiresArg: true,
    describe: 'Language of messages: en or ko [default: by locale]',
  })
}

/** The options a parser knows, by every name; none if yargs no longer tells. */
function knownOptions(parser: Argv): string[] {
  const { key, alias } =
    (parser as { getOptions?(): { key: object; alias: object } }).getOptions?.() ?? {}
  return Object.keys({ ...key, ...alias }).filter(name => name.length > 1)
}

/** Tells of what an option's reader throws: yargs throws anew with the message alone. */
function onMistake(parser: Argv, tell: (mistake: UsageError) => void): void {
  const define = parser.coerce.bind(parser) as (
    name: string,
    read: (value: unknown) => unknown,
  ) => Argv
  const told = (name: string, read: (value: unknown) => unknown): Argv =>
    define(name, value => {
      try {
        return read(value)
      } catch (error) {
        if (error instanceof UsageError) tell(error)
        throw error
      }
    })
  Object.assign(parser, { coerce: told })
}

/** yargs' complaint in this project's words. */
function usageMessage(complaint: string, args: readonly string[], known: string[]): Phrase {
  const missingValue = /^Not enough arguments following: (\S+)/.exec(complaint)
  if (missingValue) return joined([`--${missingValue[1]}`, phrase('needs a value')], ': ')
  const required = /^Missing required arguments?: (.+)/.exec(complaint)
  if (required) {
    return phrase('required: {options}', { options: required[1]!.replaceAll(/[^ ,]+/g, '--$&') })
  }
  if (/^Unknown argument/.test(complaint)) {
    const names = args.flatMap(word => /^--?([^=\d][^=]*)/.exec(word)?.slice(1) ?? [])
    const unknown = names.filter(n => !known.includes(n) && !known.includes(n.replace(/^no-/, '')))
    if (unknown.length > 0) {
      const messages = unknown.map(name =>
        phrase('unknown option --{name}{hint}', { name, hint: didYouMean(name, known, '--') }),
      )
      return joined(messages, '\n')
    }
    const words = complaint.replace(/^Unknown arguments?: /, '')
    return complaint.startsWith('Unknown arguments')
      ? phrase('unexpected arguments: {words}', { words })
      : phrase('unexpected argument: {words}', { words })
  }
  const [, got, need] =
    /^Not enough non-option arguments: got (\d+), need at least (\d+)/.exec(complaint) ?? []
  if (got !== undefined && need !== undefined) {
    return phrase('Not enough non-option arguments: got {got}, need at least {need}', { got, need })
  }
  return verbatim(complaint.replaceAll(/\s*\n\s*/g, ' '))
}

async function help(args: readonly string[], context: CliContext): Promise<void> {
  const { say } = context
  const top = parser(say).usage(
    'kogrpo teaches Qwen3 to think in Korean.\n\n$0 <command> [options]',
  )
  for (const [name, { usage, describe }] of Object.entries(COMMANDS)) {
    top.command(usage.replace(/^\S+/, name.replace(' ', '\u00a0')), describeIn(say, describe))
  }
  top.epilogue('kogrpo <command> --help shows the options of a command.')
  const version = args[0] === '--version'
  await top.parseAsync(version ? ['--version'] : ['--help'], {}, (_error, _argv, output) => {
    context.stdout.write(`${output.replaceAll('\u00a0', ' ')}\n`)
  })
}

/** The command's name, of one word or two, and the rest of the line. */
function splitCommand(args: readonly string[]): [string | undefined, string[]] {
  const two = args.slice(0, 2).join(' ')
  if (Object.hasOwn(COMMANDS, two)) return [two, args.slice(2)]
  return [args[0], args.slice(1)]
}

async function run(args: readonly string[], context: CliContext): Promise<void> {
  const [name, rest] = splitCommand(args)
  if (name === undefined || ['--help', '-h', 'help', '--version'].includes(name)) {
    return help(args, context)
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined) {
    const actions = Object.keys(COMMANDS).filter(key => key.startsWith(`${name} `))
    if (actions.length > 0)
      throw new UsageError(
        phrase('{name}: expected one of {actions}', { name, actions: actions.join(', ') }),
      )
    const names = Object.keys(COMMANDS)
    const commands = names.join(', ')
    throw new UsageError(
      name.startsWith('-')
        ? phrase('expected a command before {name}: one of {commands}', { name, commands })
        : phrase('unknown command "{name}"{hint}', {
            name,
            hint: didYouMean(name, names) || phrase('; commands: {commands}', { commands }),
          }),
    )
  }
  const { command, prepare } = await entry.load()
  const prepared = prepare?.(rest) ?? { args: rest, extra: {} }

  // Errors of the handler must not reach yargs, which would take them for mistyped options.
  let failed: { error: unknown } | undefined
  let known: string[] = []
  let mistake: UsageError | undefined
  const module: CommandModule = {
    command: entry.usage,
    describe: command.describe ?? entry.describe,
    builder: async argv => {
      const { builder } = command
      speakHelp(argv, context.say)
      onMistake(argv, error => {
        mistake ??= error
      })
      const built =
        typeof builder === 'function'
          ? await (builder as (argv: Argv) => Argv | Promise<Argv>)(argv)
          : argv.options((builder ?? {}) as Record<string, Options>)
      known = knownOptions(built)
      return built
    },
    handler: async argv => {
      try {
        await command.handler(argv as never)
      } catch (error) {
        failed = { error }
      }
    },
  }
  const [word, group] = name.split(' ').reverse() as [string, string?]
  const words = [word, ...prepared.args]
  try {
    await parser(context.say, group ? ` ${group}` : '', entry.usage.includes('..'))
      .command(module)
      .strict()
      .fail((message, error) => {
        throw error ?? new Error(message)
      })
      .parseAsync(words, { ...prepared.extra, context }, (_error, _argv, output) => {
        if (output !== '') context.stdout.write(`${output}\n`)
      })
  } catch (error) {
    if (error instanceof UsageError) throw error
    const message = mistake
      ? failure(mistake)
      : usageMessage(messageOf(error), prepared.args, known)
    throw new UsageError(phrase('{message}\nSee: kogrpo {name} --help', { message, name }), {
      cause: error,
    })
  }
  if (failed !== undefined) throw failed.error
}

/** What a shell asks for (see completion.ts): candidates for the last word, one a line. */
async function candidates(words: readonly string[], context: ProcessContext): Promise<number> {
  const { complete } = await import('./complete.ts')
  for (const word of await complete(words, COMMANDS)) context.stdout.write(`${word}\n`)
  return 0
}

/** Runs one command line (without `node` and the script) and returns its exit code. */
export async function main(
  args: readonly string[],
  context: ProcessContext = processContext,
): Promise<number> {
  let say = inEnglish
  try {
    if (args[0] === '__complete') return await candidates(args.slice(1), context)
    const { language, args: rest } = takeLanguage(args, context.env)
    say = await speak(language)
    await run(rest, { ...context, language, say })
    return 0
  } catch (error) {
    const debug = (context.env.KOGRPO_DEBUG ?? '') !== ''
    context.stderr.write(`${describeError(error, debug, say)}\n`)
    return exitCodeOf(error)
  }
}

function isScript(): boolean {
  const script = process.argv[1]
  try {
    return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url)
  } catch {
    return false
  }
}

if (isScript()) {
  // A reader that closes its end of the pipe (`| head`) must not end a run; other errors do.
  const ignoreClosedPipe = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error
  }
  process.stdout.on('error', ignoreClosedPipe)
  process.stderr.on('error', ignoreClosedPipe)
  process.exitCode = await main(process.argv.slice(2))
}
