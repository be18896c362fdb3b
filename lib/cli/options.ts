/**
 * Options that commands share: --seed, --threads, --device, --output-dir. Words are read here and
 * not by yargs, so that a bad one is an error that names the option and what it takes.
 */

import type { Options } from 'yargs'
import { didYouMean } from '../config/nearest.ts'
import { DEVICES } from '../engine/device.ts'
import { phrase } from '../messages/phrase.ts'
import { UsageError } from './errors.ts'

/** Reads an option that takes a whole number of at least `minimum` (and at most `maximum`). */
export function wholeNumber(option: string, minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return (word: string | undefined): number | undefined => {
    if (word === undefined) return undefined
    const value = /^-?\d+$/.test(word) ? Number(word) : Number.NaN
    if (value >= minimum && value <= maximum) return value
    const range =
      maximum === Number.MAX_SAFE_INTEGER
        ? phrase('at least {limit}', { limit: minimum })
        : phrase('{from} to {to}', { from: minimum, to: maximum })
    throw new UsageError(
      phrase('--{option}: expected a whole number, {range}, got "{word}"', { option, range, word }),
    )
  }
}

/** Reads an option that takes one of `words`. */
export function oneOf<const W extends string>(option: string, words: readonly W[]) {
  const read = (word: string | undefined): W | undefined =>
    word === undefined ? undefined : oneOfWords(`--${option}`, words, word)
  return Object.assign(read, { words })
}

/** The words that a reader of options takes, if it is one of a few (for completion). */
export function choicesOf(read: unknown): readonly string[] {
  return typeof read === 'function' && 'words' in read ? (read.words as readonly string[]) : []
}

/** `word`, if it is one of `words`; `name` is what the user gave it by. */
export function oneOfWords<const W extends string>(
  name: string,
  words: readonly W[],
  word: string,
): W {
  const found = words.find(w => w === word)
  if (found !== undefined) return found
  throw new UsageError(
    phrase('{name}: expected one of {words}, got "{word}"{hint}', {
      name,
      words: words.join(', '),
      word,
      hint: didYouMean(word, words),
    }),
  )
}

/** Reads an option that takes a path or a name. */
export function nonEmpty(option: string) {
  return (word: string | undefined): string | undefined => {
    if (word === '')
      throw new UsageError(phrase('--{option}: expected some text, got ""', { option }))
    return word
  }
}

const SHARED = {
  seed: {
    type: 'string',
    requiresArg: true,
    describe: 'Every random number follows from it',
    coerce: wholeNumber('seed', 0, 0xffff_ffff),
  },
  threads: {
    type: 'string',
    requiresArg: true,
    describe: 'CPU threads (0 = one per core); results do not depend on it',
    coerce: wholeNumber('threads', 0),
  },
  device: {
    type: 'string',
    requiresArg: true,
    describe: 'Where the engine computes: cpu, cuda or cuda:N',
    coerce: oneOf('device', DEVICES),
  },
  'output-dir': {
    type: 'string',
    requiresArg: true,
    describe: 'Directory to write to',
    coerce: nonEmpty('output-dir'),
  },
} as const satisfies Record<string, Options>

/** The named shared options, for `yargs.options(...)`. */
export function sharedOptions<N extends keyof typeof SHARED>(
  ...names: N[]
): Pick<typeof SHARED, N> {
  return Object.fromEntries(names.map(name => [name, SHARED[name]])) as Pick<typeof SHARED, N>
}
