/**
 * Korean consistency: the share of Korean letters among the letters of the thinking and of the
 * answer, measured separately so that a Korean answer cannot hide English thinking.
 *
 * Letters are Unicode letters; Hangul syllables and jamo are Korean, Hanja and everything else are
 * not. Exempt, because they belong to no language: LaTeX, code, URLs, units of measure, single Latin
 * letters (variables, choices) and numbers, which have no letters. One linear pass per exemption.
 */
import { z } from 'zod'
import { parseOptions } from './options.ts'
import { splitThinking } from './think.ts'
import type { RewardFunction } from './types.ts'

/** LaTeX commands, with the argument of those whose argument is a name or a style. */
const COMMAND =
  /\\(?:begin|end|math[a-z]+|operatorname|overline|ref|label)\s*\{[^{}]*\}|\\[a-zA-Z]+/g
/** Formulas; one that holds Latin prose (two words in a row) stays in and is counted. */
const FORMULA = /\$\$[^$]*\$\$|\$[^$\n]*\$|\\\[[^\]]{0,2000}\\\]|\\\((?:(?!\\\)).){0,2000}\\\)/g
const PROSE = /(?<![A-Za-z])[A-Za-z]{3,}\s+[A-Za-z]{2,}/

const EXEMPT: readonly RegExp[] = [
  /```[^`]*```|`[^`\n]*`/g,
  /https?:\/\/\S+/g,
  // Units, alone or after a number, with powers and "per": km, kg, m/s, cm^2, km/h.
  /(?<!\p{L})(?:[kcmµμn]?m|[kmµμ]?g|[mkd]?[lL]|[kMG]?Hz|[kM]?W(?:h)?|[kmM]?V|mA|kcal|cal|mol|mph|ha|[kKMGT]B|KRW|USD|EUR|JPY|pH|AM|PM|am|pm)(?:\/(?:h|s|min|m|kg|L|l))?(?!\p{Script=Latin})/gu,
  // A Latin letter on its own (2x, x축), and points, abbreviations of up to four capitals (ABCD).
  /(?<!\p{Script=Latin})(?:[A-Za-z]|[A-Z]{2,4})(?!\p{Script=Latin})/gu,
]

export interface KoreanShare {
  /** Korean letters / letters; null when the text has no letter that counts. */
  share: number | null
  korean: number
  letters: number
}

/** Share of Korean letters in `text` after the exemptions. */
export function koreanShare(text: string): KoreanShare {
  let rest = text
    .normalize('NFC')
    .replace(COMMAND, ' ')
    .replace(FORMULA, formula => (PROSE.test(formula) ? formula : ' '))
  for (const pattern of EXEMPT) rest = rest.replace(pattern, ' ')
  const letters = count(rest, /\p{L}/gu)
  const korean = count(rest, /(?=\p{L})\p{Script=Hangul}/gu)
  return { share: letters === 0 ? null : korean / letters, korean, letters }
}

/** Share of Korean letters from which a text counts as Korean, unless an option says otherwise. */
const KOREAN = 0.8

const schema = z.strictObject({
  threshold: z.number().gt(0).max(1).default(KOREAN),
  value: z.enum(['threshold', 'share']).default('threshold'),
})

/**
 * Makes the Korean reward. `value: threshold` gives 1 when thinking and answer both reach
 * `threshold`, else 0; `value: share` gives the smaller of the two shares. Thinking without a letter
 * has share 0 (a row of numbers is not Korean thinking); an answer without a letter has share 1 (it
 * may be just a number). No think block, or no answer, gives 0.
 */
export function koreanReward(options?: unknown): RewardFunction {
  const { threshold, value } = parseOptions('reward korean', schema, options)
  return input =>
    input.completions.map(text => {
      const share = koreanShareOfCompletion(text)
      return value === 'share' ? share : share >= threshold ? 1 : 0
    })
}

/** Whether the completion has thinking, and that is Korean. */
export function koreanThinking(completion: string): boolean {
  const { thinking } = splitThinking(completion)
  return thinking !== null && (koreanShare(thinking).share ?? 0) >= KOREAN
}

/** The smaller of the shares of thinking and answer, by the rules of `koreanReward`. */
export function koreanShareOfCompletion(completion: string): number {
  const { thinking, answer } = splitThinking(completion)
  if (thinking === null || thinking === '' || answer === '') return 0
  return Math.min(koreanShare(thinking).share ?? 0, koreanShare(answer).share ?? 1)
}

function count(text: string, pattern: RegExp): number {
  let matches = 0
  for (const _ of text.matchAll(pattern)) matches++
  return matches
}
