/**
 * What a recipe's stages ask of a device's memory: the largest micro-batch, the copies of the
 * parameters, and the keys and values of one round of sampling. It bounds what a run does, so that a
 * model that does not fit is refused before anything is allocated. Ranks divide the state by `shard`, and
 * the sequences of a round: each has at most its fair share under way when it claims a further group
 * (lib/train/ranks.ts).
 */
import { hasReference } from '../config/neighbour-rules.ts'
import type { Recipe } from '../config/schema.ts'
import type { EngineUse } from '../engine/device.ts'

/** `ranks`: that train together; absent: a process that was not launched. */
export function engineUse(recipe: Recipe, ranks?: number): EngineUse {
  const { pretrain, sft, grpo, shard, rollout_weights } = recipe
  const among = ranks !== undefined && { ranks, shard, streamed: rollout_weights === 'streamed' }
  const tokens = [pretrain, sft].flatMap(stage =>
    stage ? [stage.per_device_train_batch_size * stage.max_length] : [],
  )
  if (!grpo) return { training: true, microBatchTokens: Math.max(0, ...tokens), ...among }
  const length = grpo.max_prompt_length + grpo.max_completion_length
  tokens.push(grpo.per_device_train_batch_size * length)
  const completions = grpo.per_device_train_batch_size * grpo.gradient_accumulation_steps
  const { num_generations: group } = grpo
  const share = Math.max(group, Math.ceil(completions / (ranks ?? 1))) + group - 1
  const live = ranks === undefined ? completions : Math.min(completions, share)
  return {
    training: true,
    slots: hasReference(grpo) ? 1 : 0,
    microBatchTokens: Math.max(...tokens),
    cacheTokens: live * length,
    stepRows: live,
    ...among,
  }
}
