/** Guards of the stage grpo: what is watched, when it trips, and what then happens. */
import * as z from 'zod'
import { count, countOrZero, nonNegative, positive } from './values.ts'

interface Limit {
  factor: number
  margin: number
}

const watch = ({ factor, margin }: Limit, what: string) =>
  z
    .strictObject({
      enabled: z.boolean().default(true).describe('whether this is watched'),
      factor: positive.default(factor).describe('limit = baseline × factor ± margin'),
      margin: nonNegative.default(margin).describe('distance of the limit beyond the factor'),
    })
    .prefault({})
    .describe(what)

const watches = z.strictObject({
  accuracy: watch(
    { factor: 0.6, margin: 0 },
    'falls: the accuracy reward of the groups, against its own peak',
  ),
  false_positives: watch(
    { factor: 1.5, margin: 0.1 },
    "rises: the share of the checker's passes that the judge rejects; needs a judge that is asked there",
  ),
  answer_numbers: watch(
    { factor: 1.4, margin: 0 },
    'rises: numbers in the answer of a completion; lists of numbers pass lenient checkers',
  ),
  truncated: watch({ factor: 1, margin: 0.2 }, 'rises: share of completions without an end'),
  zero_variance: watch(
    { factor: 1, margin: 0.6 },
    'rises: share of groups whose rewards are all equal, from which nothing is learned',
  ),
  entropy_low: watch({ factor: 0.1, margin: 0 }, 'falls: entropy of the policy, nats a token'),
  entropy_high: watch({ factor: 2, margin: 0.1 }, 'rises: entropy of the policy, nats a token'),
  kl: watch(
    { factor: 1.5, margin: 0.5 },
    'rises: divergence from the reference; needs beta above 0',
  ),
  grad_norm: watch({ factor: 8, margin: 0 }, 'rises: norm of the gradient before clipping'),
})

export const guards = z.strictObject({
  action: z
    .enum(['off', 'warn', 'stop', 'rollback'])
    .default('warn')
    .describe(
      'on a trip: only say so, end the stage, or go back to the last good state with a lower learning rate',
    ),
  window: count
    .default(10)
    .describe('optimizer rounds of the moving averages that are compared with their limits'),
  // Short, because a loophole can be found at once: a long warm-up would take it into the baseline.
  warmup_steps: countOrZero
    .default(5)
    .describe('rounds before the baselines begin; nothing trips in them'),
  patience: count.default(3).describe('rounds in a row beyond a limit that make a trip'),
  keep_steps: count
    .default(10)
    .describe(
      'rollback: optimizer steps between two good states, kept only while every watch is calm',
    ),
  learning_rate_factor: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe('rollback: factor of the learning rate from then on'),
  max_rollbacks: countOrZero
    .default(3)
    .describe('rollback: trips after this many end the stage instead'),
  watches: watches.prefault({}).describe('what is watched, and its limits'),
})

export type GuardSpec = z.output<typeof guards>
export type WatchName = keyof GuardSpec['watches']
