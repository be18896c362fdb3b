/**
 * Whether a model is ready for reinforcement: a group in which every completion has the same reward
 * teaches nothing, and a model that never answers right will not be taught to (arXiv 2601.05459: RL
 * alone gives little where the base cannot do the task; SFT on a few samples first).
 *
 *   pass@1, pass@k    expectation of one answer, and of the best of k (samples.ts)
 *   dead group rate   share of groups whose rewards are all equal
 *   Korean share      mean share of Korean letters in the thinking; no thinking counts 0
 */

import { presentIn } from '../algorithms/group-statistics.ts'
import { joined, type Phrase, phrase } from '../messages/phrase.ts'
import { koreanShare } from '../rewards/korean.ts'
import { splitThinking } from '../rewards/think.ts'
import { passAtK } from './samples.ts'

interface ReadinessInput {
  /** Completions of a group; adjacent in `accuracy` and `completions`. */
  num_generations: number
  /** 1, 0, or null where the rule cannot tell; null as a whole without an accuracy reward. */
  accuracy: readonly (number | null)[] | null
  /** Of every group, whether its rewards are all equal. */
  zero_std: readonly boolean[]
  /** Text after the generation prompt. */
  completions: readonly string[]
}

export interface Readiness {
  groups: number
  num_generations: number
  /** Null without an accuracy reward, or where it applies to nothing. */
  pass_at_1: number | null
  pass_at_k: number | null
  dead_group_rate: number
  korean_thinking_share: number
}

/** Completions of group `g` that count as right, among those with a verdict. */
function verdictsOf(
  accuracy: readonly (number | null)[],
  g: number,
  size: number,
): { n: number; c: number } {
  const present = presentIn(accuracy, g * size, (g + 1) * size)
  return { n: present.length, c: present.filter(value => value >= 1).length }
}

/** Mean over the groups of the unbiased pass@k; groups with fewer than k verdicts are left out. */
export function meanPassAtK(
  accuracy: readonly (number | null)[],
  size: number,
  k: number,
): number | null {
  const groups = Array.from({ length: accuracy.length / size }, (_, g) =>
    verdictsOf(accuracy, g, size),
  ).filter(({ n }) => n >= k)
  if (groups.length === 0) return null
  return groups.reduce((sum, { n, c }) => sum + passAtK(n, c, k), 0) / groups.length
}

/** The figures of a batch of groups. */
export function readiness(input: ReadinessInput): Readiness {
  const { num_generations: size, accuracy, zero_std, completions } = input
  const shares = completions.map(text => koreanShare(splitThinking(text).thinking ?? '').share ?? 0)
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  return {
    groups: zero_std.length,
    num_generations: size,
    pass_at_1: accuracy && meanPassAtK(accuracy, size, 1),
    pass_at_k: accuracy && meanPassAtK(accuracy, size, size),
    dead_group_rate: mean(zero_std.map(Number)),
    korean_thinking_share: mean(shares),
  }
}

/** The figures in one line. */
export function describeReadiness(figures: Readiness): Phrase {
  const percent = (value: number | null): string | Phrase =>
    value === null ? phrase('unknown') : `${(100 * value).toFixed(1)} %`
  const { groups, num_generations: k } = figures
  return phrase(
    '{groups} prompts × {k}: pass@1 {one}, pass@{k} {any}, groups of equal rewards {dead}, Korean in the thinking {korean}',
    {
      groups,
      k,
      one: percent(figures.pass_at_1),
      any: percent(figures.pass_at_k),
      dead: percent(figures.dead_group_rate),
      korean: percent(figures.korean_thinking_share),
    },
  )
}

/** Why reinforcement would teach little, with the remedy; null when nothing speaks against it. */
export function notReady(figures: Readiness, maxDeadGroupRate: number): Phrase | null {
  const { dead_group_rate, pass_at_k, num_generations: k } = figures
  const percent = (value: number): string => `${(100 * value).toFixed(0)} %`
  const reasons: Phrase[] = []
  if (dead_group_rate > maxDeadGroupRate) {
    reasons.push(
      phrase(
        'in {share} of the groups all rewards are equal (limit {limit}), so nothing is learned from them',
        { share: percent(dead_group_rate), limit: percent(maxDeadGroupRate) },
      ),
    )
  }
  if (pass_at_k === 0) reasons.push(phrase('none of {k} attempts at any prompt is right', { k }))
  if (reasons.length === 0) return null
  const easy = pass_at_k !== null && pass_at_k > 0.5
  const remedy = easy
    ? phrase(
        'the prompts may be too easy: take harder ones (kogrpo data difficulty), or dynamic_sampling: { mode: resample }',
      )
    : phrase(
        'train the skill first (sft, e.g. on kogrpo data self-correct), take easier prompts (kogrpo data difficulty, curriculum.drop_zero_pass), or raise num_generations',
      )
  return phrase('{reasons}. Remedy: {remedy}', { reasons: joined(reasons, '; '), remedy })
}
