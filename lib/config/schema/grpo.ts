/** The stage grpo: rollouts, loss, rewards and oracle. Names are those of TRL's GRPOConfig. */
import * as z from 'zod'
import { checkpointShape, optimizerShape } from './optimizer.ts'
import { oracle } from './oracle.ts'
import { rewards } from './rewards.ts'
import { sources } from './source.ts'
import { count, decay, nonNegative, positive } from './values.ts'

export const grpoStage = z.strictObject({
  data: sources.describe('prompts (with an answer column for the accuracy reward)'),
  num_generations: count.default(8).describe('completions per prompt (the group), at least 2'),
  per_device_train_batch_size: count.default(8).describe('completions in a micro-batch'),
  gradient_accumulation_steps: count.default(1).describe('micro-batches in an optimizer step'),
  max_prompt_length: count.default(512).describe('longest prompt in tokens'),
  overlong: z
    .enum(['error', 'skip'])
    .default('error')
    .describe('what to do with a prompt of more than max_prompt_length tokens'),
  max_completion_length: count
    .default(512)
    .describe('longest completion in tokens; the constant length in the Dr. GRPO denominator'),
  temperature: positive.default(1).describe('sampling temperature, also that of the log-probs'),
  loss_type: z
    .enum(['dr_grpo', 'grpo', 'dapo', 'bnpo'])
    .default('dr_grpo')
    .describe('how token losses are averaged (TRL: dapo)'),
  scale_rewards: z
    .enum(['none', 'group', 'batch'])
    .default('none')
    .describe('divide advantages by a standard deviation (TRL: group; Dr. GRPO: none)'),
  epsilon: decay.default(0.2).describe('lower clip range of the probability ratio'),
  epsilon_high: positive.optional().describe('upper clip range (default: epsilon)'),
  delta: z
    .number()
    .gt(1)
    .optional()
    .describe('upper bound of the ratio when A < 0 (two-sided clip)'),
  beta: nonNegative
    .default(0)
    .describe('weight of the KL penalty (0 = no reference model is held)'),
  num_iterations: count.default(1).describe('optimizer passes over one batch of completions'),
  importance_sampling_level: z
    .enum(['token', 'sequence'])
    .default('token')
    .describe('ratio per token, or one per completion (GSPO)'),
  mask_truncated_completions: z
    .boolean()
    .default(false)
    .describe('leave completions without a stop token out of the loss'),
  system_prompt: z.string().optional().describe('system message put before every prompt'),
  enable_thinking: z.boolean().default(true).describe('chat template: let the model think'),
  rewards: rewards.describe('reward functions and their weights; the reward is the weighted sum'),
  oracle: oracle.prefault({}).describe('how a judge corrects the checker of the accuracy reward'),
  ...optimizerShape({ learning_rate: 1e-6, lr_scheduler_type: 'constant', warmup_ratio: 0 }),
  ...checkpointShape,
})
