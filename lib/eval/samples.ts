/**
 * What n samples of a question say together. `n` samples, `c` of them right:
 *
 *   avg@n    c / n, the expectation of a single answer
 *   pass@k   1 − C(n − c, k) / C(n, k), unbiased (Chen et al. 2021, arXiv 2107.03374, equation 1)
 *   maj@n    the answer most often given (Wang et al. 2022, arXiv 2203.11171), ties to the first seen
 *   best@n   the sample with the highest score, ties to the first
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'

/** Unbiased pass@k. Throws `E_EVAL` unless 0 ≤ c ≤ n and 1 ≤ k ≤ n. */
export function passAtK(n: number, c: number, k: number): number {
  const whole = [n, c, k].every(Number.isInteger)
  if (!whole || c < 0 || c > n || k < 1 || k > n) {
    throw new KogrpoError(
      'E_EVAL',
      phrase('pass@{k} of {c} right among {n} samples is not defined; draw at least {k} samples', {
        k,
        c,
        n,
      }),
    )
  }
  // C(n − c, k) / C(n, k) as a product, exact enough and without overflow.
  let allWrong = 1
  for (let i = n - c + 1; i <= n; i++) allWrong *= 1 - k / i
  return 1 - Math.max(0, allWrong)
}

/**
 * Index of the first sample of the largest group of equal answers; null answers do not vote, and
 * where nobody votes the result is null. `same` is asked for the first answer of each group.
 */
export function majority<A>(
  answers: readonly (A | null)[],
  same: (a: A, b: A) => boolean,
): number | null {
  const groups: { first: number; answer: A; votes: number }[] = []
  for (const [i, answer] of answers.entries()) {
    if (answer === null) continue
    const group = groups.find(g => same(g.answer, answer))
    if (group) group.votes++
    else groups.push({ first: i, answer, votes: 1 })
  }
  let best: { first: number; votes: number } | null = null
  for (const group of groups) if (best === null || group.votes > best.votes) best = group
  return best?.first ?? null
}

/** Index of the highest score, ties to the first; null scores never win. Null for none. */
export function best(scores: readonly (number | null)[]): number | null {
  let winner: number | null = null
  for (const [i, score] of scores.entries()) {
    if (score !== null && (winner === null || score > scores[winner]!)) winner = i
  }
  return winner
}

/** Mean F1 over the labels that occur as gold or as answer, as scikit-learn's `average="macro"`. */
export function macroF1(golds: readonly number[], answers: readonly (number | null)[]): number {
  const labels = new Set([...golds, ...answers.map(answer => answer ?? -1)])
  let sum = 0
  for (const label of labels) {
    let [tp, given, wanted] = [0, 0, 0]
    for (const [i, gold] of golds.entries()) {
      const answer = answers[i] ?? -1
      if (gold === label) wanted++
      if (answer === label) given++
      if (gold === label && answer === label) tp++
    }
    sum += (2 * tp) / (given + wanted)
  }
  return sum / labels.size
}
