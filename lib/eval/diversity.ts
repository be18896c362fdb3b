/**
 * What a policy can still do beside its favourite answer (arXiv 2509.22613: after the training
 * accuracy is full, policy gradients go on narrowing to one solution a problem):
 *
 *   pass@1 … k        unbiased, mean over the prompts (samples.ts); k in powers of two, and k itself
 *   distinct correct  different right completions of a prompt, by what stands in the thinking
 *   token entropy     mean entropy of the sampled tokens' distributions, nats
 *   answer entropy    of the answers to one prompt, nats; equivalent answers are one
 */
import { isEquivalent } from '../rewards/equivalence.ts'
import { extractAnswer } from '../rewards/extract.ts'
import { splitThinking } from '../rewards/think.ts'
import { meanPassAtK } from './readiness.ts'

interface DiversityInput {
  /** Completions of a prompt; adjacent in the arrays below. */
  k: number
  accuracy: readonly (number | null)[]
  completions: readonly string[]
  /** Mean entropy over the tokens of each completion. */
  entropies: readonly number[]
}

export interface Diversity {
  prompts: number
  k: number
  /** By k, as a string; null where no prompt has k verdicts. */
  pass_at: Record<string, number | null>
  /** Mean over the prompts that have a right completion; null without any. */
  distinct_correct: number | null
  token_entropy: number
  answer_entropy: number
}

/** 1, 2, 4 … and k. */
export function powersUpTo(k: number): number[] {
  const powers: number[] = []
  for (let power = 1; power < k; power *= 2) powers.push(power)
  return [...powers, k]
}

/** What makes two right completions different: the thinking without spaces, marks and case. */
export function canonicalThinking(completion: string): string {
  const { thinking, answer } = splitThinking(completion)
  return (thinking ?? answer)
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[\s\p{P}]+/gu, '')
}

/** Entropy, in nats, of how often each of several things was seen. */
export function entropyOf(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return counts.reduce((sum, count) => {
    const share = count / total
    return count === 0 ? sum : sum - share * Math.log(share)
  }, 0)
}

/** Entropy of the answers of one group; completions without an answer are one more answer. */
function answerEntropy(completions: readonly string[]): number {
  const kinds: { answer: string | null; count: number }[] = []
  for (const text of completions) {
    const answer = extractAnswer(splitThinking(text).answer)?.text ?? null
    const same = kinds.find(kind =>
      kind.answer === null || answer === null
        ? kind.answer === answer
        : kind.answer === answer || isEquivalent(kind.answer, answer),
    )
    if (same) same.count++
    else kinds.push({ answer, count: 1 })
  }
  return entropyOf(kinds.map(({ count }) => count))
}

/** The figures of `k` completions of every prompt. */
export function diversity({ k, accuracy, completions, entropies }: DiversityInput): Diversity {
  const prompts = completions.length / k
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const groups = Array.from({ length: prompts }, (_, g) => ({
    completions: completions.slice(g * k, (g + 1) * k),
    accuracy: accuracy.slice(g * k, (g + 1) * k),
  }))
  const distinct = groups
    .map(group => {
      const right = group.completions.filter((_, i) => (group.accuracy[i] ?? 0) >= 1)
      return new Set(right.map(canonicalThinking)).size
    })
    .filter(count => count > 0)
  return {
    prompts,
    k,
    pass_at: Object.fromEntries(
      powersUpTo(k).map(power => [String(power), meanPassAtK(accuracy, k, power)]),
    ),
    distinct_correct: distinct.length === 0 ? null : mean(distinct),
    token_entropy: mean(entropies),
    answer_entropy: mean(groups.map(group => answerEntropy(group.completions))),
  }
}
