/**
 * The rules of `kogrpo corpus filter`: which of them a text breaks first. Thresholds follow common
 * practice for web text (Gopher's, arXiv 2112.11446; C4's, arXiv 1910.10683); RedWhale (arXiv
 * 2408.11294), which filters by rules, n-gram deduplication and perplexity, does not publish its own.
 */
import type { Measures } from './measure.ts'

export interface RuleOptions {
  minChars: number
  maxChars: number
  /** Least share of Hangul among the letters; isolated jamo are no Hangul here. */
  minKorean: number
  /** Least share of letters among the characters that are no spaces. */
  minLetters: number
  /** Most share of isolated jamo (ㅋㅋㅋ, ㅠㅠ) among the letters. */
  maxJamo: number
  /** Most share of control characters and U+FFFD among all characters. */
  maxBroken: number
  /** Most share of the text in lines that occurred before in it. */
  maxRepeatedLines: number
  /** Most share of the text in runs of 20 letters and digits that occurred before in it. */
  maxRepeatedRuns: number
  /** Least number of sentence ends. */
  minSentences: number
}

export const DEFAULT_RULES: RuleOptions = {
  ...{ minChars: 100, maxChars: 1_000_000, minKorean: 0.5, minLetters: 0.6, maxJamo: 0.05 },
  ...{ maxBroken: 0.001, maxRepeatedLines: 0.3, maxRepeatedRuns: 0.3, minSentences: 1 },
}

/** What drops a record, in the order in which it is asked. */
export const FILTER_RULES = [
  'too_short',
  'too_long',
  'broken_text',
  'not_korean',
  'few_letters',
  'jamo',
  'repeated_lines',
  'repeated_text',
  'few_sentences',
  'duplicate',
  'perplexity',
] as const
export type FilterRule = (typeof FILTER_RULES)[number]

/** The first rule on the text itself that it breaks; null: none. */
export function brokenRule(m: Measures, options: RuleOptions): FilterRule | null {
  if (m.chars < options.minChars) return 'too_short'
  if (m.chars > options.maxChars) return 'too_long'
  if (m.broken > options.maxBroken * m.chars) return 'broken_text'
  if (m.hangul < options.minKorean * m.letters) return 'not_korean'
  if (m.letters < options.minLetters * m.visible) return 'few_letters'
  if (m.jamo > options.maxJamo * m.letters) return 'jamo'
  if (m.repeatedLineChars > options.maxRepeatedLines * m.lineChars) return 'repeated_lines'
  if (m.repeatedRunChars > options.maxRepeatedRuns * m.reduced) return 'repeated_text'
  if (m.sentences < options.minSentences) return 'few_sentences'
  return null
}
