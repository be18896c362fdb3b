/**
 * Help in the user's language. What a command tells yargs (usage, options, examples) is in English and is
 * translated as it is told, so that commands need not know of languages; a test sees to it that no text
 * of any command is without its Korean. A default stands behind its text, "… [default: 5]".
 */
import type { Argv, Options } from 'yargs'
import { phrase, type Say, written } from '../messages/phrase.ts'

const NOTE = /^(.*?) \[(?:default: (.*)|(required))\]$/s

/** A description in the user's language, the note of its default included. */
export function describeIn(say: Say, english: string): string {
  const [, words, otherwise, required] = NOTE.exec(english) ?? []
  if (words === undefined) return say(written(english))
  const note = required
    ? phrase('[required]')
    : phrase('[default: {value}]', { value: written(otherwise ?? '') })
  return `${say(written(words))} ${say(note)}`
}

/** A usage in the user's language: paragraph by paragraph, or line by line where the whole is not known. */
export function usageIn(say: Say, english: string): string {
  const paragraph = (lines: string): string => {
    const whole = lines.replaceAll('\n', ' ')
    const said = say(written(whole))
    if (said !== whole) return said
    return lines
      .split('\n')
      .map(line => say(written(line)))
      .join('\n')
  }
  return english.split('\n\n').map(paragraph).join('\n\n')
}

/** Translates what `parser` is told from now on. */
export function speakHelp(parser: Argv, say: Say): void {
  const usage = parser.usage.bind(parser) as (text: string) => Argv
  const option = parser.option.bind(parser) as (key: string, own?: Options) => Argv
  const example = parser.example.bind(parser) as (command: string, text: string) => Argv
  const epilogue = parser.epilogue.bind(parser)
  // Several options at once come to `option` one by one, and so do positionals.
  const described = (own?: Options): Options | undefined =>
    typeof own?.describe === 'string' ? { ...own, describe: describeIn(say, own.describe) } : own
  Object.assign(parser, {
    usage: (text: string) => usage(usageIn(say, text)),
    option: (key: string, own?: Options) => option(key, described(own)),
    example: (command: string, text: string) => example(command, say(written(text))),
    epilogue: (text: string) => epilogue(say(written(text))),
  })
  parser.updateStrings({
    'Commands:': say('Commands:'),
    'Options:': say('Options:'),
    'Positionals:': say('Positionals:'),
    'Examples:': say('Examples:'),
    boolean: say('boolean'),
    string: say('string'),
    number: say('number'),
    array: say('array'),
    required: say('required'),
    'default:': say('default:'),
    'Show help': say('Show help'),
    'Show version number': say('Show version number'),
  } as never)
}
