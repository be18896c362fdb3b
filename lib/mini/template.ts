/**
 * What a family of word problems is made of. A template draws numbers and words and returns a
 * question with a chain of steps; a step is one binary operation on literals and earlier results,
 * labelled by a noun phrase in each language. Values, traces and the answer are computed from the
 * chain, so text and arithmetic cannot disagree.
 */
import type { Random } from './random.ts'

/** A literal of the question, or the result of an earlier step. */
export type Operand = number | { readonly step: number }

export type Operator = '+' | '-' | '×' | '÷'

/** A unit as each language writes it after a number. */
export interface Unit {
  readonly ko: string
  readonly en: string
}

export interface Step {
  /** Noun phrase for the result, ending in Hangul ("사과 값"). */
  readonly ko: string
  /** The same in English, lower case, no article ("apple cost"). */
  readonly en: string
  readonly left: Operand
  readonly op: Operator
  readonly right: Operand
  readonly unit: Unit
}

/** One drawn problem; the value of the last step, in its unit, is the answer. */
export interface Draft {
  readonly question: string
  readonly steps: readonly Step[]
}

export interface Template {
  /** Unique over all families, for example "shopping/change". */
  readonly id: string
  /** Number of steps of every draft. */
  readonly steps: number
  draw(random: Random): Draft
}

export const UNITS = {
  won: { ko: '원', en: 'won' },
  km: { ko: 'km', en: 'km' },
  metre: { ko: 'm', en: 'm' },
  hour: { ko: '시간', en: 'hours' },
  clock: { ko: '시', en: "o'clock" },
  minute: { ko: '분', en: 'minutes' },
  day: { ko: '일', en: 'days' },
  month: { ko: '개월', en: 'months' },
  year: { ko: '살', en: 'years' },
  person: { ko: '명', en: 'people' },
  page: { ko: '쪽', en: 'pages' },
} as const satisfies Record<string, Unit>

/** The result of step `index` as an operand. */
export function ref(index: number): Operand {
  return { step: index }
}

/** One step; see `Step`. */
export function step(
  ko: string,
  en: string,
  left: Operand,
  op: Operator,
  right: Operand,
  unit: Unit,
): Step {
  return { ko, en, left, op, right, unit }
}
