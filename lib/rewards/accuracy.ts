/**
 * The accuracy reward, a rule checker: 1 when the final answer after the thinking is equivalent to
 * the gold answer of the sample's `answer` column, else 0. A number in the thinking never counts.
 * Extraction is extract.ts, the meaning of "equivalent" is equivalence.ts.
 */
import { z } from 'zod'
import { KogrpoError } from '../errors.ts'
import { isEquivalent } from './equivalence.ts'
import { extractAnswer, lastMarked } from './extract.ts'
import { parseOptions } from './options.ts'
import { splitThinking } from './think.ts'
import type { RewardFunction, RewardInput } from './types.ts'

const schema = z.strictObject({
  /** Dataset column with the gold answer: a string or a number. */
  answer_column: z.string().min(1).default('answer'),
})

/** Makes the accuracy reward. Throws `E_REWARD` at rating time when a gold answer is missing. */
export function accuracyReward(options?: unknown): RewardFunction {
  const { answer_column: column } = parseOptions('reward accuracy', schema, options)
  return input =>
    input.completions.map((text, i) => checkAnswer(goldAnswer(input, column, i), text))
}

/** 1 when `completion` states an answer equivalent to `gold` after its thinking, else 0. */
export function checkAnswer(gold: string, completion: string): 0 | 1 {
  const extracted = extractAnswer(splitThinking(completion).answer)
  if (extracted === null) return 0
  return isEquivalent(lastMarked(gold)?.text ?? gold, extracted.text) ? 1 : 0
}

/** The gold answer of sample `i` as text; throws `E_REWARD` naming column and sample. */
export function goldAnswer(input: RewardInput, column: string, i: number): string {
  const values = input.columns[column]
  if (values === undefined) {
    const known = Object.keys(input.columns).join(', ') || 'none'
    throw new KogrpoError(
      'E_REWARD',
      `the accuracy reward needs the data column '${column}' with the gold answer (columns present: ${known})`,
    )
  }
  const value = values[i]
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  if (typeof value === 'string' && value.trim() !== '') return value
  throw new KogrpoError(
    'E_REWARD',
    `column '${column}' has no gold answer for sample ${i} (found ${JSON.stringify(value) ?? 'nothing'}); give a number or a non-empty string`,
  )
}
