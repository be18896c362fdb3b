/**
 * How completions are sampled: the options of the command line, and what a record's own `sampling`
 * object (`{"sampling": {"temperature": 0.6, "max_new_tokens": 64}}`) changes for that record.
 */
import type { Options } from 'yargs'
import { z } from 'zod'
import { recordError } from '../data/columns.ts'
import type { SourceRecord } from '../data/readers.ts'
import { type Phrase, phrase, verbatim } from '../messages/phrase.ts'
import { UsageError } from './errors.ts'
import { wholeNumber } from './options.ts'

export interface Sampling {
  seed: number
  /** 0: the likeliest token. */
  temperature: number
  /** 0: off. */
  top_k: number
  /** 1: off. */
  top_p: number
  /** 0: off. */
  min_p: number
  max_new_tokens: number
}

/** Reads an option that takes a number; `range` says which, for the message. */
export function realNumber(option: string, range: Phrase, inRange: (value: number) => boolean) {
  return (word: string | undefined): number | undefined => {
    if (word === undefined) return undefined
    const value = word.trim() === '' ? Number.NaN : Number(word)
    if (Number.isFinite(value) && inRange(value)) return value
    throw new UsageError(
      phrase('--{option}: expected a number, {range}, got "{word}"', { option, range, word }),
    )
  }
}

const text = { type: 'string', requiresArg: true } as const

/** The sampling options; the numbers without a sign that yargs could mistake. */
export const samplingOptions = {
  temperature: {
    ...text,
    describe: 'Logits are divided by it; 0 takes the likeliest token [default: 1]',
    coerce: realNumber('temperature', phrase('at least {limit}', { limit: 0 }), x => x >= 0),
  },
  'top-k': {
    ...text,
    describe: 'Sample from the k likeliest tokens (0: all) [default: 0]',
    coerce: wholeNumber('top-k', 0, 0x7fff_ffff),
  },
  'top-p': {
    ...text,
    describe: 'Sample from the likeliest tokens that together have this share [default: 1]',
    coerce: realNumber(
      'top-p',
      phrase('above {low} and at most {high}', { low: 0, high: 1 }),
      x => x > 0 && x <= 1,
    ),
  },
  'min-p': {
    ...text,
    describe: 'Sample from tokens at least this likely, relative to the likeliest [default: 0]',
    coerce: realNumber(
      'min-p',
      phrase('{from} to {to}', { from: 0, to: 1 }),
      x => x >= 0 && x <= 1,
    ),
  },
  'max-new-tokens': {
    ...text,
    describe: "Longest completion; the model's context ends it too [default: 512]",
    coerce: wholeNumber('max-new-tokens', 1, 0x7fff_ffff),
  },
} as const satisfies Record<string, Options>

const ofRecord = z
  .strictObject({
    seed: z.int().min(0).max(0xffff_ffff),
    temperature: z.number().min(0),
    top_k: z.int().min(0).max(0x7fff_ffff),
    top_p: z.number().gt(0).max(1),
    min_p: z.number().min(0).max(1),
    max_new_tokens: z.int().min(1).max(0x7fff_ffff),
  })
  .partial()

/** `defaults` with what the record's `sampling` changes. Throws `E_DATA` naming file and line. */
export function samplingOf(source: SourceRecord, defaults: Sampling): Sampling {
  const own = source.record.sampling
  if (own === undefined || own === null) return defaults
  const parsed = ofRecord.safeParse(own)
  if (parsed.success) return { ...defaults, ...parsed.data }
  const problems = parsed.error.issues.map(({ path, message }) =>
    [['sampling', ...path].join('.'), message].join(': '),
  )
  throw recordError(source, verbatim(problems.join('; ')))
}
