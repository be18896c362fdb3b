/**
 * How a completion thinks: Korean or not, where the language changes, what leaks in, how long it is,
 * and whether the last result that the thinking states is the one that the answer gives. Languages as
 * the rewards measure them (docs/language.md): letters, with quotations, names and the prompt's own
 * words exempt.
 */
import { isEquivalent } from '../rewards/equivalence.ts'
import { extractAnswer } from '../rewards/extract.ts'
import { chosenOption } from '../rewards/kinds/choice.ts'
import { KOREAN } from '../rewards/korean.ts'
import { profile, shareOf } from '../rewards/language/profile.ts'
import { languageRequest } from '../rewards/language/request.ts'
import { splitThinking } from '../rewards/think.ts'

/** Of one completion; null where there is no thinking, or nothing in it that counts. */
export interface ThinkingMetrics {
  /** Whether a think block is there and closed. */
  thinks: boolean
  korean_share: number | null
  korean: boolean
  switches: number | null
  /** Where the language changes: 0 the beginning of the thinking, 1 its end. */
  switch_places: number[]
  chinese: boolean
  japanese: boolean
  /** Characters (code points) of the thinking and of the answer. */
  thinking_length: number
  answer_length: number
  /** Whether thinking and answer state the same result; null where one of them states none. */
  consistent: boolean | null
}

/** Measures one completion. `choices`: texts of the options; null for answers in mathematics. */
export function thinkingMetrics(
  prompt: string,
  completion: string,
  choices: readonly string[] | null,
): ThinkingMetrics {
  const { thinking, answer, problem } = splitThinking(completion)
  const request = languageRequest([{ role: 'user', content: prompt }])
  const part = thinking === null ? null : profile(thinking, { request })
  const said = profile(answer, { request, answer: true })
  const share = part === null ? null : shareOf(part, 'letter')
  const leaks = (language: 'chinese' | 'japanese'): boolean =>
    [part, said].some(p => (p?.counted[language].letter ?? 0) > 0)
  return {
    thinks: thinking !== null && thinking !== '' && problem !== 'unclosed think block',
    korean_share: share,
    korean: share !== null && share >= KOREAN,
    switches: part?.switches ?? null,
    switch_places: (part?.switchPlaces ?? []).slice(0, 100).map(place => Number(place.toFixed(4))),
    chinese: leaks('chinese'),
    japanese: leaks('japanese'),
    thinking_length: [...(thinking ?? '')].length,
    answer_length: [...answer].length,
    consistent: thinking === null ? null : consistent(thinking, answer, choices),
  }
}

function consistent(
  thinking: string,
  answer: string,
  choices: readonly string[] | null,
): boolean | null {
  if (choices !== null) {
    const [thought, given] = [chosenOption(thinking, choices), chosenOption(answer, choices)]
    return thought === null || given === null ? null : thought === given
  }
  const [thought, given] = [extractAnswer(thinking)?.text, extractAnswer(answer)?.text]
  if (thought === undefined || given === undefined) return null
  return isEquivalent(given, thought) || isEquivalent(thought, given)
}

/** Of an evaluation; a mean of nothing is null. */
export interface ThinkingSummary {
  n: number
  thinking_rate: number
  /** Share of completions whose thinking is Korean. */
  korean_rate: number
  korean_share: number | null
  switches: number | null
  /** Share of the switches in each quarter of the thinking. */
  switch_quarters: [number, number, number, number] | null
  chinese_leak_rate: number
  japanese_leak_rate: number
  thinking_length: number
  answer_length: number
  /** Of the completions in which thinking and answer both state a result. */
  consistency: number | null
  consistency_n: number
}

/** Means over completions; null for none. */
export function summarizeThinking(all: readonly ThinkingMetrics[]): ThinkingSummary | null {
  if (all.length === 0) return null
  const meanOf = (of: (m: ThinkingMetrics) => number | boolean | null): number | null => {
    const values = all.flatMap(m => of(m) ?? []).map(Number)
    return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length
  }
  const quarters: [number, number, number, number] = [0, 0, 0, 0]
  const places = all.flatMap(m => m.switch_places)
  for (const place of places) quarters[Math.min(3, Math.floor(place * 4))]! += 1 / places.length
  return {
    n: all.length,
    thinking_rate: meanOf(m => m.thinks)!,
    korean_rate: meanOf(m => m.korean)!,
    korean_share: meanOf(m => m.korean_share),
    switches: meanOf(m => m.switches),
    switch_quarters: places.length === 0 ? null : quarters,
    chinese_leak_rate: meanOf(m => m.chinese)!,
    japanese_leak_rate: meanOf(m => m.japanese)!,
    thinking_length: meanOf(m => m.thinking_length)!,
    answer_length: meanOf(m => m.answer_length)!,
    consistency: meanOf(m => m.consistent),
    consistency_n: all.filter(m => m.consistent !== null).length,
  }
}
