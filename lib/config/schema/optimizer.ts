/** Keys that every stage shares: how its samples become steps of AdamW, and how often it is saved. */
import * as z from 'zod'
import { count, countOrZero, decay, fraction, nonNegative, positive, seed } from './values.ts'

export interface OptimizerDefaults {
  learning_rate: number
  lr_scheduler_type: 'constant' | 'linear' | 'cosine' | 'cosine_with_min_lr'
  warmup_ratio: number
}

export const optimizerShape = (defaults: OptimizerDefaults) => ({
  learning_rate: positive.default(defaults.learning_rate).describe('peak learning rate of AdamW'),
  lr_scheduler_type: z
    .enum(['constant', 'linear', 'cosine', 'cosine_with_min_lr'])
    .default(defaults.lr_scheduler_type)
    .describe('shape of the learning rate after the warm-up (every shape has the warm-up)'),
  min_lr_ratio: fraction
    .default(0.1)
    .describe('cosine_with_min_lr: the last learning rate as a share of the peak'),
  warmup_ratio: fraction
    .default(defaults.warmup_ratio)
    .describe('share of the steps in which the learning rate rises linearly from 0'),
  warmup_steps: countOrZero
    .optional()
    .describe('number of warm-up steps; goes before warmup_ratio'),
  adam_beta1: decay.default(0.9).describe('decay of the mean of the gradient'),
  adam_beta2: decay.default(0.999).describe('decay of the mean of the squared gradient'),
  adam_epsilon: positive.default(1e-8).describe('added to the root of the second moment'),
  weight_decay: nonNegative
    .default(0)
    .describe('decoupled decay of matrices (norm weights are never decayed)'),
  max_grad_norm: nonNegative
    .default(1)
    .describe('clip the gradient to this global norm (0 = no clipping)'),
  on_nonfinite: z
    .enum(['stop', 'skip_step'])
    .default('stop')
    .describe(
      'what to do when a reward, the loss or the gradient is NaN or infinite, after the batch is saved for kogrpo replay',
    ),
  max_steps: count.optional().describe('number of optimizer steps; goes before num_train_epochs'),
  num_train_epochs: positive.default(1).describe('passes over the data'),
  seed: seed.optional().describe("seed of this stage (default: the recipe's)"),
})

/** `metrics`: what an evaluation between steps measures. */
export const checkpointShape = <const M extends readonly [string, ...string[]]>(metrics: M) => ({
  eval_steps: countOrZero
    .default(0)
    .describe(
      'evaluate every so many steps, and before the first (0 = only at the end of the stage)',
    ),
  metric_for_best_model: z
    .enum(metrics)
    .optional()
    .describe('keep the model that is best by this metric in checkpoints/STAGE-best'),
  greater_is_better: z
    .boolean()
    .optional()
    .describe(
      'metric_for_best_model: more of it is better (default: not of losses, entropies, lengths)',
    ),
  load_best_model_at_end: z
    .boolean()
    .default(false)
    .describe(`end the stage with the best model (by ${metrics[0]} where no metric is named)`),
  save_steps: countOrZero
    .default(0)
    .describe('write a checkpoint every so many steps (0 = only at the end of the stage)'),
  save_total_limit: count
    .optional()
    .describe(
      'checkpoints of the stage to keep, the latest ones (default: every model, one state to resume from)',
    ),
})
