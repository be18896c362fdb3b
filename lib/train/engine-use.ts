/**
 * What a recipe's stages ask of a device's memory: the largest micro-batch, the copies of the
 * parameters, and the keys and values of one round of sampling. It bounds what a run does, so that a
 * model that does not fit is refused before anything is allocated.
 */
import type { Recipe } from '../config/schema.ts'
import type { EngineUse } from '../engine/device.ts'

export function engineUse({ pretrain, sft, grpo }: Recipe): EngineUse {
  const tokens = [pretrain, sft].flatMap(stage =>
    stage ? [stage.per_device_train_batch_size * stage.max_length] : [],
  )
  if (!grpo) return { training: true, microBatchTokens: Math.max(0, ...tokens) }
  const length = grpo.max_prompt_length + grpo.max_completion_length
  tokens.push(grpo.per_device_train_batch_size * length)
  const completions = grpo.per_device_train_batch_size * grpo.gradient_accumulation_steps
  return {
    training: true,
    slots: grpo.beta > 0 ? 1 : 0,
    microBatchTokens: Math.max(...tokens),
    cacheTokens: completions * length,
    stepRows: completions,
  }
}
