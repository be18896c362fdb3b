/** What each guard reads of a step's metrics. Null: the step says nothing about it. */

import type { WatchName } from '../../config/schema/guards.ts'
import { english } from '../../messages/phrase.ts'
import type { Metrics } from '../../report/events.ts'
import type { Direction } from './watch.ts'

interface Source {
  direction: Direction
  /** For messages. */
  title: string
  read: (metrics: Metrics) => number | null | undefined
}

/** Of the checker's passes, the share that the judge rejects. */
function falsePositives(metrics: Metrics): number | null {
  const { 'judge/tp': tp, 'judge/fp': fp } = metrics
  if (typeof tp !== 'number' || typeof fp !== 'number' || tp + fp === 0) return null
  return fp / (tp + fp)
}

export const SOURCES: Readonly<Record<WatchName, Source>> = {
  accuracy: {
    direction: 'falls',
    title: english('accuracy reward'),
    read: metrics => metrics['rewards/accuracy/mean'],
  },
  false_positives: {
    direction: 'rises',
    title: english("share of the checker's passes that the judge rejects"),
    read: falsePositives,
  },
  answer_numbers: {
    direction: 'rises',
    title: english('numbers in an answer'),
    read: metrics => metrics['completions/answer_numbers'],
  },
  truncated: {
    direction: 'rises',
    title: english('share of completions without an end'),
    read: metrics => metrics['completions/clipped_ratio'],
  },
  zero_variance: {
    direction: 'rises',
    title: english('share of groups with equal rewards'),
    read: metrics => metrics.frac_reward_zero_std,
  },
  entropy_low: { direction: 'falls', title: english('entropy'), read: metrics => metrics.entropy },
  entropy_high: { direction: 'rises', title: english('entropy'), read: metrics => metrics.entropy },
  kl: {
    direction: 'rises',
    title: english('divergence from the reference'),
    read: metrics => metrics.kl,
  },
  grad_norm: {
    direction: 'rises',
    title: english('norm of the gradient'),
    // A step without any coefficient has no gradient to speak of.
    read: metrics => metrics.grad_norm || null,
  },
}
