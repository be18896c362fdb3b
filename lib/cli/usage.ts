/** What is wrong with a command line, in this project's words: yargs says it in its own. */
import type { Argv } from 'yargs'
import { didYouMean } from '../config/nearest.ts'
import { joined, type Phrase, phrase, verbatim } from '../messages/phrase.ts'
import { UsageError } from './errors.ts'

/** The options a parser knows, by every name; none if yargs no longer tells. */
export function knownOptions(parser: Argv): string[] {
  const { key, alias } =
    (parser as { getOptions?(): { key: object; alias: object } }).getOptions?.() ?? {}
  return Object.keys({ ...key, ...alias }).filter(name => name.length > 1)
}

/** Tells of what an option's reader throws: yargs throws anew with the message alone. */
export function onMistake(parser: Argv, tell: (mistake: UsageError) => void): void {
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
export function usageMessage(complaint: string, args: readonly string[], known: string[]): Phrase {
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
