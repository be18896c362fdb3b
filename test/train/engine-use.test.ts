import { expect, test } from 'vitest'
import { resolveRecipe } from '../../lib/config/load.ts'
import type { RecipeInput } from '../../lib/config/schema.ts'
import { engineUse } from '../../lib/train/engine-use.ts'

const recipeOf = (more: Partial<RecipeInput> = {}) =>
  resolveRecipe({
    output_dir: 'run',
    grpo: {
      ...{ data: [{ path: 'mini:grpo' }], beta: 0.1, num_generations: 8 },
      ...{ per_device_train_batch_size: 16, gradient_accumulation_steps: 4 },
      ...{ max_prompt_length: 28, max_completion_length: 100 },
    },
    ...more,
  })

test('a process alone has all sequences of a round', () => {
  expect(engineUse(recipeOf())).toEqual({
    ...{ training: true, slots: 1, microBatchTokens: 16 * 128 },
    ...{ cacheTokens: 64 * 128, stepRows: 64 },
  })
})

test('a rank has its fair share of them and the group that it claims last', () => {
  const rowsOf = (ranks: number): number | undefined => engineUse(recipeOf(), ranks).stepRows
  expect([1, 2, 4, 8, 64].map(rowsOf)).toEqual([64, 32 + 7, 16 + 7, 8 + 7, 8 + 7])
  expect(engineUse(recipeOf(), 4).cacheTokens).toBe(23 * 128)
})

test('a rank divides by the sharding, and has no whole weights where they are streamed', () => {
  const among = (more: Partial<RecipeInput>) => engineUse(recipeOf(more), 4)
  expect(among({})).toMatchObject({ ranks: 4, shard: 'none', streamed: false })
  expect(among({ shard: 'parameters', rollout_weights: 'streamed' })).toMatchObject({
    ...{ ranks: 4, shard: 'parameters', streamed: true },
  })
})

test('a reference is held for the KL term and for the consistency bonus', () => {
  const data = [{ path: 'mini:grpo' }]
  const slots = (more: object): number | undefined =>
    engineUse(resolveRecipe({ output_dir: 'run', grpo: { data, ...more } })).slots
  const slow = { sync_ref_model: true, ref_model_mixup_alpha: 0.005 }
  expect([slots({}), slots({ beta: 0.1 }), slots({ consistency_bonus: {}, ...slow })]).toEqual([
    0, 1, 1,
  ])
})
