/** The stage grpo: rollouts, loss, rewards and oracle. Names are those of TRL's GRPOConfig. */
import * as z from 'zod'
import { freezingShape } from './freezing.ts'
import { guards } from './guards.ts'
import {
  consistencyBonus,
  cosineLength,
  critique,
  curriculum,
  denseReward,
  narrowing,
  readiness,
  refResetPlateau,
} from './neighbours.ts'
import { checkpointShape, optimizerShape } from './optimizer.ts'
import { oracle } from './oracle.ts'
import { rewardFunctions, rewards } from './rewards.ts'
import { sources } from './source.ts'
import {
  count,
  countOrZero,
  decay,
  fraction,
  name,
  nonNegative,
  positive,
  thinkTemplate,
} from './values.ts'

/** DAPO's dynamic sampling; verl's filter_groups. */
const dynamicSampling = z.strictObject({
  mode: z
    .enum(['off', 'mask', 'resample'])
    .default('off')
    .describe(
      'off = they stay, with advantage 0; mask = left out of the loss and its denominators; resample = replaced by other prompts',
    ),
  max_rounds: count
    .default(2)
    .describe('resample: further generations at most; what is missing then is left out'),
  metric: name
    .default('reward')
    .describe('the reward that must differ in a group: "reward" (the sum) or the name of one'),
})

export const grpoStage = z.strictObject({
  data: sources.describe('prompts (with an answer column for the accuracy reward)'),
  num_generations: count.default(8).describe('completions per prompt (the group), at least 2'),
  per_device_train_batch_size: count.default(8).describe('completions in a micro-batch'),
  gradient_accumulation_steps: count.default(1).describe('micro-batches in an optimizer step'),
  shared_prefix: z
    .boolean()
    .default(true)
    .describe("compute a group's prompt once in a micro-batch: same values, same gradient, faster"),
  max_prompt_length: count.default(512).describe('longest prompt in tokens'),
  overlong: z
    .enum(['error', 'skip'])
    .default('error')
    .describe('what to do with a prompt of more than max_prompt_length tokens'),
  max_completion_length: count
    .default(512)
    .describe('longest completion in tokens; the constant length in the Dr. GRPO denominator'),
  temperature: positive.default(1).describe('sampling temperature, also that of the log-probs'),
  sampling_temperature: positive
    .optional()
    .describe('another temperature for sampling alone; needs importance_sampling_correction'),
  top_k: countOrZero
    .default(0)
    .describe(
      'sample among the k likeliest tokens (0 = all); needs importance_sampling_correction',
    ),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe(
      'sample among the likeliest tokens that hold this much probability; needs importance_sampling_correction',
    ),
  min_p: decay
    .default(0)
    .describe(
      'sample among tokens of at least this share of the likeliest; needs importance_sampling_correction',
    ),
  loss_type: z
    .enum(['dr_grpo', 'grpo', 'dapo', 'bnpo', 'cispo', 'sapo'])
    .default('dr_grpo')
    .describe('the loss of a token and how tokens are averaged (TRL: dapo)'),
  scale_rewards: z
    .enum(['none', 'group', 'batch'])
    .optional()
    .describe(
      'divide advantages by a standard deviation (default: none with dr_grpo, for which TRL keeps group; group otherwise)',
    ),
  baseline: z
    .enum(['mean', 'leave_one_out'])
    .default('mean')
    .describe(
      'what a completion is compared with: the mean of its group, or of the others in it (ESPO, RLOO)',
    ),
  multi_objective_aggregation: z
    .enum(['sum_then_normalize', 'normalize_then_sum'])
    .default('sum_then_normalize')
    .describe(
      'normalize_then_sum: each reward divided by its standard deviation in the group before the weighted sum (GDPO)',
    ),
  epsilon: decay.default(0.2).describe('lower clip range of the probability ratio'),
  epsilon_high: positive
    .optional()
    .describe(
      'upper clip range (default: epsilon); with cispo the absolute cap of the ratio (default: 5, where TRL falls back to epsilon)',
    ),
  delta: z
    .number()
    .gt(1)
    .optional()
    .describe('upper bound of the ratio when A < 0 (two-sided clip)'),
  beta: nonNegative
    .default(0)
    .describe(
      'weight of the KL penalty (0 = no reference model is held; it is a second copy of the weights)',
    ),
  kl_estimator: z
    .enum(['k1', 'k2', 'k3'])
    .default('k3')
    .describe('how the divergence is estimated from one token (TRL: k3)'),
  kl_level: z
    .enum(['token', 'sequence'])
    .default('token')
    .describe(
      'penalty per token, or one per completion over its length (ESPO; with kl_estimator k2)',
    ),
  sync_ref_model: z
    .boolean()
    .default(false)
    .describe('move the reference model towards the policy as training goes on'),
  ref_model_sync_steps: count
    .default(512)
    .describe('sync_ref_model: every so many optimizer steps'),
  ref_model_mixup_alpha: z
    .number()
    .gt(0)
    .max(1)
    .default(0.6)
    .describe('sync_ref_model: reference ← (1 − alpha) · reference + alpha · policy'),
  ref_reset_steps: count
    .optional()
    .describe('make the reference a copy of the policy every so many optimizer steps (ProRL)'),
  ref_reset_plateau: refResetPlateau
    .optional()
    .describe('the same where an evaluation metric no longer rises (needs eval_steps)'),
  ref_reset_optimizer: z
    .boolean()
    .default(true)
    .describe("ref_reset_steps, ref_reset_plateau: forget AdamW's moments and step count too"),
  rollout_mode: z
    .enum(['on_policy', 'one_step_off'])
    .default('on_policy')
    .describe(
      'on_policy = each round is sampled by the weights that it is trained on; one_step_off = by those of a round earlier, while the judge still rates that round',
    ),
  check_weights_steps: countOrZero
    .default(100)
    .describe(
      "compare hashes of the sampler's and the trainer's weights every so many steps (0 = never)",
    ),
  num_iterations: count.default(1).describe('optimizer passes over one batch of completions'),
  importance_sampling_level: z
    .enum(['token', 'sequence'])
    .default('token')
    .describe('ratio per token, or one per completion (GSPO, with loss_type grpo)'),
  sapo_temperature_pos: positive
    .default(1)
    .describe('sapo: how sharply the ratio is gated where the advantage is positive'),
  sapo_temperature_neg: positive
    .default(1.05)
    .describe('sapo: the same where the advantage is negative'),
  importance_sampling_correction: z
    .enum(['none', 'token_truncate', 'token_mask', 'sequence_truncate', 'sequence_mask'])
    .default('none')
    .describe(
      'weigh the policy term by trainer over sampler probability, per token or completion; beyond the caps: clamped or left out',
    ),
  importance_sampling_clip_max: positive
    .default(3)
    .describe('importance_sampling_correction: upper cap of the weight'),
  importance_sampling_clip_min: positive
    .optional()
    .describe('importance_sampling_correction: lower cap of the weight (default: none)'),
  dynamic_sampling: dynamicSampling
    .prefault({})
    .describe('what becomes of groups whose completions all have the same reward'),
  top_entropy_quantile: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe('train the policy on this share of the tokens, those of highest entropy'),
  entropy_coef: nonNegative
    .default(0)
    .describe('weight of the entropy bonus (mean entropy of the trained tokens)'),
  mask_truncated_completions: z
    .boolean()
    .default(false)
    .describe('leave completions without a stop token out of the loss'),
  system_prompt: z.string().optional().describe('system message put before every prompt'),
  think_template: thinkTemplate,
  enable_thinking: z.boolean().default(true).describe('chat template: let the model think'),
  rewards: rewards.describe('reward functions and their weights; the reward is the weighted sum'),
  reward_functions: rewardFunctions
    .optional()
    .describe('reward functions of your own, beside these: JavaScript modules'),
  oracle: oracle.prefault({}).describe('how a judge corrects the checker of the accuracy reward'),
  truncated_reward_coef: fraction
    .default(1)
    .describe('rewards above 0 of completions without an end are multiplied by this (ProRL)'),
  cosine_length: cosineLength
    .optional()
    .describe('a reward for short right and long wrong answers ({} for the defaults)'),
  curriculum: curriculum.optional().describe('order of the prompts by measured difficulty (SARI)'),
  consistency_bonus: consistencyBonus
    .optional()
    .describe(
      'a bonus for right answers that follow from their reasoning under a slow reference (GRPO-CARE)',
    ),
  dense_reward: denseReward
    .optional()
    .describe(
      'advantages per token from a frozen reward model, beside those of the rewards (R-AIRL)',
    ),
  critique: critique
    .optional()
    .describe('refinements written after a critique, as members of the group (Critique-GRPO)'),
  readiness: readiness
    .prefault({})
    .describe('whether the model can learn from these prompts, looked at before the first update'),
  narrowing: narrowing
    .prefault({})
    .describe('the warning that pass@1 rises while pass@k falls: narrower, not more able'),
  guards: guards.prefault({}).describe('what is watched for a collapse, and what then happens'),
  ...freezingShape,
  ...optimizerShape({ learning_rate: 1e-6, lr_scheduler_type: 'constant', warmup_ratio: 0 }),
  ...checkpointShape([
    ...(['eval_accuracy', 'eval_korean_thinking_rate', 'eval_format_rate'] as const),
    'eval_mean_length',
  ]),
})
