/**
 * GRPO-CARE's consistency bonus (arXiv 2506.16141): among the right completions of a group, those whose
 * answer follows from their own reasoning in the eyes of a slowly moving reference get a bonus.
 *
 *   S       completions with accuracy > 0.1 and at least the group's mean accuracy
 *   c_i     exp(mean log p_ref of the answer's tokens | question, own reasoning), at most max_confidence;
 *           0 without an answer (over no tokens the mean would be 0 and c its maximum of 1)
 *   bonus   coef · accuracy_i  where i ∈ S and c_i ≥ mean over S of c − margin, else 0
 */
import { KogrpoError } from '../errors.ts'
import { presentIn, shiftedMean } from './group-statistics.ts'

interface ConsistencyOptions {
  coef: number
  margin: number
  max_confidence: number
}

/** Accuracy from which a completion can be in S at all. */
const LEAST_ACCURACY = 0.1

/** exp(mean) of the reference's log-probs of an answer's tokens; 0 where the answer has none. */
export function answerConfidence(logprobs: Float32Array, maxConfidence: number): number {
  if (logprobs.length === 0) return 0
  let sum = 0
  for (const logprob of logprobs) sum += logprob
  return Math.min(Math.exp(sum / logprobs.length), maxConfidence)
}

/**
 * The bonus of every completion; groups are runs of `group` completions. A null accuracy has a null
 * bonus: it takes no part in its group's baseline. Throws `E_ALGORITHM` for arrays that do not match.
 */
export function consistencyBonus(
  accuracy: readonly (number | null)[],
  confidence: readonly number[],
  group: number,
  options: ConsistencyOptions,
): (number | null)[] {
  if (accuracy.length !== confidence.length || accuracy.length % group !== 0) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `${accuracy.length} accuracies and ${confidence.length} confidences do not form groups of ${group}`,
    )
  }
  const bonus: (number | null)[] = accuracy.map(value => (value === null ? null : 0))
  for (let start = 0; start < accuracy.length; start += group) {
    const present = presentIn(accuracy, start, start + group)
    if (present.length === 0) continue
    const mean = shiftedMean(present)
    const right: number[] = []
    for (let i = start; i < start + group; i++) {
      const value = accuracy[i]!
      if (value !== null && value > LEAST_ACCURACY && value >= mean) right.push(i)
    }
    if (right.length === 0) continue
    const threshold = shiftedMean(right.map(i => confidence[i]!)) - options.margin
    for (const i of right) {
      if (confidence[i]! >= threshold) bonus[i] = options.coef * accuracy[i]!
    }
  }
  return bonus
}
