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
import { failure, inEnglish, phrase, type Say } from '../messages/phrase.ts'
import { packageVersion } from '../version.ts'
import { COMMANDS } from './commands.ts'
import { type CliContext, type ProcessContext, processContext } from './context.ts'
import { describeError, exitCodeOf, UsageError } from './errors.ts'
import { describeIn, speakHelp } from './help-language.ts'
import { takeLanguage } from './language-option.ts'
import { knownOptions, onMistake, usageMessage } from './usage.ts'

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
