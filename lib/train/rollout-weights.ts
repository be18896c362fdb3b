/**
 * Where weights in pieces (shard: parameters) are while a rank samples: gathered whole, if the plan says that
 * they fit beside what training keeps and the keys and values, or streamed layer by layer, step by step.
 */
import { hasReference } from '../config/neighbour-rules.ts'
import type { Recipe } from '../config/schema.ts'
import type { Place } from '../launch/place.ts'
import { type Phrase, phrase } from '../messages/phrase.ts'
import type { ModelConfig } from '../model/config.ts'
import { adapterParameters, elementsOf, type LoraConfig } from '../model/lora.ts'
import { geometryOf, kvBytes } from '../plan/geometry.ts'
import { planMemory } from '../plan/memory.ts'
import { engineUse } from './engine-use.ts'

/** Keys and values on a CPU are as products read them; geometry counts them in bf16. */
const TIMES = { float32: 2, bfloat16: 1, int8: 2 }

/**
 * Whether a rank of `place` is to stream; `available`: bytes that its machine has left, the rank's whole
 * weights taken already; `lora`: the model's adapters. On a GPU, whose memory the engine's plan is about, only where the recipe says so.
 */
export function streamsRollout(
  recipe: Recipe,
  config: ModelConfig,
  { size, localSize }: Pick<Place, 'size' | 'localSize'>,
  available: number,
  lora: LoraConfig | null = null,
): boolean {
  const { shard, rollout_weights: where, device } = recipe
  if (shard !== 'parameters' || size === 1 || where === 'gathered') return false
  if (where === 'streamed') return true
  if (device !== 'cpu') return false
  const geometry = geometryOf(config)
  const adapters = lora ? elementsOf(adapterParameters(config, lora, 0)) : 0
  const use = engineUse(recipe)
  const work = {
    ...{ stores: 'fp32' as const, shard, ranks: size },
    reference: recipe.grpo !== undefined && hasReference(recipe.grpo),
    ...{ adapters, int8: recipe.model.dtype === 'int8' },
    ...{ microBatchTokens: 0, headChunk: 0, recompute: 'none' as const },
  }
  const whole = 4 * (geometry.parameters + adapters)
  const { cache } = planMemory(geometry, work, available / localSize + whole)
  // The packed copy that products read while a rank samples is as large as the weights.
  const tokens = (use.cacheTokens ?? 0) / size
  return cache < whole + tokens * kvBytes(geometry) * TIMES[recipe.model.dtype]
}

/** How a run is divided, for its log. */
export function describeRanks(
  { size, localSize: local }: Place,
  shard: Recipe['shard'],
  streams: boolean,
): Phrase {
  if (shard !== 'parameters' || size === 1) {
    return phrase('{size} ranks, {local} of them on this machine; shard: {shard}', {
      ...{ size, local, shard },
    })
  }
  return streams
    ? phrase(
        '{size} ranks, {local} of them on this machine; shard: parameters, and completions are sampled on weights gathered layer by layer (rollout_weights: streamed)',
        { size, local },
      )
    : phrase(
        '{size} ranks, {local} of them on this machine; shard: parameters, and completions are sampled on weights gathered whole (rollout_weights: gathered)',
        { size, local },
      )
}
