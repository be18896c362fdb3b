/**
 * Kind `math`: the final answer is equivalent to the gold answer by the contract of docs/rewards.md.
 * A gold answer that is prose (several words, nothing to calculate with) has no grade: a rule can
 * neither confirm nor refute a sentence; that is what a judge is for.
 */
import type { AccuracyOptions } from '../../config/schema/accuracy.ts'
import { isEquivalent, isProse } from '../equivalence.ts'
import { extractAnswer, lastMarked } from '../extract.ts'
import { goldText } from './gold.ts'
import type { Grader } from './types.ts'

export function mathGrader({
  extraction,
  precision,
}: Pick<AccuracyOptions, 'extraction' | 'precision'>): Grader {
  return sample => {
    const text = goldText(sample)
    const gold = lastMarked(text)?.text ?? text
    if (isProse(gold)) return null
    const extracted = extractAnswer(sample.answer, extraction)
    return extracted !== null && isEquivalent(gold, extracted.text, { precision }) ? 1 : 0
  }
}
