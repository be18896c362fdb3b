/**
 * From raw records to training data: clean the text, drop what is not Korean enough, too short, too
 * repetitive, a duplicate, or in a benchmark, and split the rest. Every dropped record is counted under
 * the first rule that it breaks. The split follows from each prompt's own hash, so that adding records
 * later moves none from one part to the other.
 */
import { createHash } from 'node:crypto'
import { toConversation } from '../data/columns.ts'
import type { SourceRecord } from '../data/readers.ts'
import { koreanShare } from '../rewards/korean.ts'
import type { Fingerprints } from './check.ts'
import { cleanValue, fingerprint, repeatedShare } from './text.ts'
import { textsOf } from './texts-of.ts'

export interface PrepareOptions {
  columns?: Readonly<Record<string, string>> | undefined
  /** Least share of Korean letters in thinking and answer (in the prompt, where nothing is answered). */
  minKorean: number
  /** Least and most characters of the whole sample. */
  minChars: number
  maxChars: number
  /** Most share of characters in repeated lines. */
  maxRepeated: number
  /** Share of the prompts that is held out. */
  evalShare: number
  /** Prompts that must not be trained on. */
  against?: Fingerprints | undefined
}

export const RULES = [
  'too_short',
  'too_long',
  'not_korean',
  'repetitive',
  'duplicate',
  'leaked',
] as const
export type Rule = (typeof RULES)[number]

/** What becomes of a record: where it goes, or which rule it breaks. */
type Decision = { part: 'train' | 'eval'; record: Record<string, unknown> } | { dropped: Rule }

/** Decides about records one after the other; it remembers the prompts it has kept. */
export class Preparation {
  readonly #options: PrepareOptions
  readonly #seen = new Set<string>()

  constructor(options: PrepareOptions) {
    this.#options = options
  }

  /** Errors: `E_DATA` naming file and line for a record that is no conversation. */
  decide(source: SourceRecord): Decision {
    const options = this.#options
    const record = cleanValue(source.record) as Record<string, unknown>
    const { prompt, thinking, answer } = textsOf(
      toConversation({ ...source, record }, { columns: options.columns }),
    )
    const parts = answer === null ? [prompt] : [thinking, answer].filter(part => part !== null)
    const whole = [prompt, thinking, answer].filter(part => part !== null).join('\n')
    if (whole.length < options.minChars) return { dropped: 'too_short' }
    if (whole.length > options.maxChars) return { dropped: 'too_long' }
    if (parts.some(part => (koreanShare(part).share ?? 1) < options.minKorean)) {
      return { dropped: 'not_korean' }
    }
    if (repeatedShare(whole) > options.maxRepeated) return { dropped: 'repetitive' }
    const key = fingerprint(prompt)
    // Several answers to one prompt are not duplicates; the same answer again is.
    const sample = `${key}\n${fingerprint(`${thinking ?? ''} ${answer ?? ''}`)}`
    if (this.#seen.has(sample)) return { dropped: 'duplicate' }
    if (options.against?.has(key)) return { dropped: 'leaked' }
    this.#seen.add(sample)
    return { part: share(key) < options.evalShare ? 'eval' : 'train', record }
  }
}

/** A number in [0, 1) that follows from the text alone. */
function share(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32
}
