import { describe, expect, test } from 'vitest'
import { resolveRecipe } from '../../lib/config/load.ts'
import type { RecipeInput } from '../../lib/config/schema.ts'

type Rewards = NonNullable<NonNullable<RecipeInput['grpo']>['rewards']>

const load = (rewards: Rewards) => () =>
  resolveRecipe({
    output_dir: 'run',
    grpo: { data: [{ path: 'mini:grpo' }], max_completion_length: 100, rewards },
  })

describe('options of rewards that the stage makes meaningless are refused at once', () => {
  const accuracy = { name: 'accuracy' as const }
  test.each<[Rewards[number], RegExp]>([
    [
      { name: 'overlong', options: { max_completion_length: 200 } },
      /grpo\.rewards\.1\.options\.max_completion_length: with 200 the punishment begins above 160/,
    ],
    [
      { name: 'overlong', options: { soft_punish_cache: 101 } },
      /options\.soft_punish_cache: must not exceed max_completion_length, 100/,
    ],
    [
      { name: 'repetition', options: { ngram_size: 100 } },
      /options\.ngram_size: no sequence of 100 tokens can come twice/,
    ],
    [
      { name: 'korean', options: { value: 'share', threshold: 0.5 } },
      /options\.threshold: has no effect with value: share/,
    ],
  ])('%j', (reward, message) => {
    expect(load([accuracy, reward])).toThrow(message)
  })

  test('and what can bite is taken', () => {
    const { grpo } = load([
      accuracy,
      { name: 'overlong', options: { max_completion_length: 120 } },
      { name: 'repetition', options: { ngram_size: 99 } },
    ])()
    expect(grpo!.rewards[2]).toEqual({
      name: 'repetition',
      weight: 0.2,
      options: { ngram_size: 99, max_penalty: -1 },
    })
  })
})
