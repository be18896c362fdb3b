/**
 * What the grpo stage takes from the neighbouring papers, one object each; off unless the recipe names
 * it, but for the two that only look and warn. docs/neighbours-rl.md says when to use which.
 */
import * as z from 'zod'
import { count, countOrZero, fraction, name, nonNegative, positive } from './values.ts'

export const readiness = z.strictObject({
  action: z
    .enum(['off', 'warn', 'stop'])
    .default('warn')
    .describe('before the first update: say what a model that is not ready needs, or end the run'),
  prompts: count
    .optional()
    .describe(
      'prompts that are sampled for the check alone (default: none, the first round of the stage is looked at)',
    ),
  max_dead_group_rate: z
    .number()
    .min(0)
    .max(1)
    .default(0.9)
    .describe('share of groups with equal rewards above which a model is not ready'),
})

export const narrowing = z.strictObject({
  action: z.enum(['off', 'warn']).default('warn').describe('whether it is said'),
  window: count.default(20).describe('rounds of the moving averages of pass@1 and pass@k'),
  margin: positive.default(0.1).describe('how far pass@k has to be below its highest average'),
})

export const refResetPlateau = z.strictObject({
  metric: name.default('eval_accuracy').describe('the metric of the evaluations between steps'),
  patience: count.default(3).describe('evaluations in a row without a gain that make a plateau'),
  min_delta: nonNegative.default(0).describe('what counts as a gain: more than this'),
})

export const cosineLength = z
  .strictObject({
    weight: positive.default(0.5).describe('factor of this reward in the sum'),
    min_value_wrong: z.number().default(-1).describe('a wrong answer at once, or one cut off'),
    max_value_wrong: z.number().default(-0.5).describe('a wrong answer at the length limit'),
    min_value_correct: z.number().default(0.5).describe('a right answer at the length limit'),
    max_value_correct: z.number().default(1).describe('a right answer at once'),
    cycle_on: count.default(1).describe('optimizer steps with it, then …'),
    cycle_off: countOrZero.default(0).describe('… steps without (ProRL v2: 100 and 500)'),
  })
  .refine(({ max_value_wrong, min_value_correct }) => max_value_wrong < min_value_correct, {
    path: ['max_value_wrong'],
    error: 'must be below min_value_correct: a long wrong answer would earn more than a right one',
  })

export const curriculum = z.strictObject({
  order: z
    .enum(['easy_to_hard', 'random', 'hard_to_easy'])
    .default('random')
    .describe('of the buckets of prompts; within a bucket the order is random'),
  buckets: count.default(5).describe('of about equal size, by pass rate'),
  column: name
    .default('pass_rate')
    .describe('data column with the pass rate (kogrpo data difficulty writes it)'),
  drop_zero_pass: z.boolean().default(false).describe('leave out prompts with pass rate 0'),
})

export const consistencyBonus = z.strictObject({
  coef: positive.default(0.5).describe('the bonus, as a share of the accuracy reward'),
  margin: nonNegative
    .default(0.01)
    .describe('how far below the mean of the right ones the confidence may be'),
  max_confidence: z
    .number()
    .gt(0)
    .max(1)
    .default(0.95)
    .describe('upper clamp of the confidence, against a race for it'),
  answer_span: z
    .enum(['after_think', 'boxed'])
    .default('after_think')
    .describe('whose log-probs count: all that follows the thinking, or the last box in it'),
})

export const denseReward = z.strictObject({
  path: name.describe('reward model (kogrpo reward train), with the tokenizer of the policy'),
  weight: positive.default(1).describe('factor of its advantages beside those of the rewards'),
  gamma: fraction.default(0.9).describe('how much of a later token counts for an earlier one'),
  scale: z
    .boolean()
    .default(true)
    .describe('divide by the standard deviation over the tokens of a group'),
})

export const critique = z.strictObject({
  type: z
    .enum(['simple', 'simple_gt', 'text', 'judge'])
    .default('text')
    .describe(
      "what is said: the verdict, also the answer, also the worked solution; or the verdict and the judge's own words",
    ),
  num_refinements: z
    .literal(1)
    .default(1)
    .describe('refinements that take the place of a wrong completion in its group'),
  num_candidates: z
    .int()
    .min(2)
    .default(4)
    .describe('refinements that are sampled for a group; the best one is kept'),
  gamma: positive.default(0.1).describe('shaping p / (p + gamma) of the tokens of a refinement'),
  only_failed_groups: z
    .boolean()
    .default(true)
    .describe('refine only where no completion of the group is right'),
  solution_column: name
    .default('solution')
    .describe('type text: data column with the worked solution'),
})
