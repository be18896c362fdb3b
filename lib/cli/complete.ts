/**
 * What may follow on a command line, for the shell (`kogrpo completion`): commands, options, recipe
 * keys after two dashes and a dot, and values where an option has a few. What an option may be is asked of
 * the commands themselves, so nothing here can fall behind them.
 */
import type { Argv, Options } from 'yargs'
import yargs from 'yargs'
import { describeKeys } from '../config/keys.ts'
import { builtinRecipes } from '../config/load.ts'
import { LANGUAGES } from '../messages/language.ts'
import type { CommandFile } from './command-file.ts'
import { choicesOf } from './options.ts'

/** A line of the answer: the names of files may stand here as well. */
export const FILES = ':files'

interface Completable {
  load(): Promise<CommandFile>
}

/** Commands whose first word may be the name of a built-in recipe. */
const TAKES_RECIPE = new Set([
  'train',
  'plan',
  'data check',
  'data difficulty',
  'eval diversity',
  'rl-check',
])

interface Known {
  /** Option, without its dashes → its values, none where it takes any. */
  values: Map<string, readonly string[]>
  flags: ReadonlySet<string>
}

/** The options of a command, as it declares them to yargs. */
async function optionsOf({ command }: CommandFile): Promise<Known> {
  const parser = yargs()
  const values = new Map<string, readonly string[]>()
  const coerce = parser.coerce.bind(parser) as (name: string, read: unknown) => Argv
  const noted = (name: string, read: unknown): Argv => {
    values.set(name, choicesOf(read))
    return coerce(name, read)
  }
  Object.assign(parser, { coerce: noted })
  const { builder } = command
  if (typeof builder === 'function') await (builder as (argv: Argv) => unknown)(parser)
  else parser.options((builder ?? {}) as Record<string, Options>)
  const { key, boolean } = (
    parser as unknown as { getOptions(): { key: object; boolean: string[] } }
  ).getOptions()
  for (const name of Object.keys(key)) if (!values.has(name)) values.set(name, [])
  return { values, flags: new Set(boolean) }
}

/** The values that a recipe key takes, where they are few; its type is `a|b|c` then. */
function keyValues(key: string): string[] {
  const type = describeKeys().find(row => row.key === key)?.type ?? ''
  if (type === 'boolean') return ['true', 'false']
  return type.includes('|') ? type.split('|') : []
}

const beginning = (words: Iterable<string>, current: string): string[] =>
  [...new Set(words)].filter(word => word.startsWith(current)).sort()

/** Candidates for the last of `words` (those after `kogrpo`), which may be empty. */
export async function complete(
  words: readonly string[],
  commands: Readonly<Record<string, Completable>>,
): Promise<string[]> {
  const current = words.at(-1) ?? ''
  const names = Object.keys(commands)
  if (words.length < 2) {
    const first = names.map(name => name.split(' ')[0]!)
    return beginning([...first, '--help', '--version', '--lang'], current)
  }
  const [one, two] = words as [string, string]
  const actions = names.flatMap(name => {
    const [group, action] = name.split(' ')
    return group === one && action !== undefined ? [action] : []
  })
  const name = Object.hasOwn(commands, `${one} ${two}`) && words.length > 2 ? `${one} ${two}` : one
  if (words.length === 2 && actions.length > 0 && !current.startsWith('-')) {
    return beginning(actions, current)
  }
  if (!Object.hasOwn(commands, name)) return []
  const { values, flags } = await optionsOf(await commands[name]!.load())
  const previous = /^--(.+)$/.exec(words.at(-2)!)?.[1]
  if (previous === 'lang') return beginning(LANGUAGES, current)
  if (previous !== undefined && name === 'train' && previous.includes('.')) {
    return beginning(keyValues(previous), current)
  }
  if (previous !== undefined && values.has(previous) && !flags.has(previous)) {
    const choices = values.get(previous)!
    return choices.length > 0 ? beginning(choices, current) : [FILES]
  }
  if (current.startsWith('-')) {
    const options = [...values.keys(), 'help', 'lang'].filter(option => option.length > 1)
    const keys = name === 'train' ? describeKeys().map(({ key }) => key) : []
    const offered = keys.filter(key => current.includes('.') || !key.includes('.'))
    return beginning(
      [...options, ...offered].map(option => `--${option}`),
      current,
    )
  }
  const recipes = TAKES_RECIPE.has(name) ? beginning(builtinRecipes(), current) : []
  return [...recipes, FILES]
}
