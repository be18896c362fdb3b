/** The reward functions of the grpo stage. */
import * as z from 'zod'
import { accuracyOptions } from './accuracy.ts'

const rewardOptions = z
  .record(z.string(), z.unknown())
  .optional()
  .describe('options of this reward function')

const reward = <const N extends string, S extends z.ZodType = typeof rewardOptions>(
  rewardName: N,
  weight: number,
  options?: S,
) =>
  z.strictObject({
    name: z.literal(rewardName).describe('reward function'),
    weight: z.number().default(weight).describe('factor of this reward in the sum'),
    options: (options ?? rewardOptions) as S,
  })

export const rewards = z
  .array(
    z.discriminatedUnion('name', [
      reward('accuracy', 1, accuracyOptions.optional().describe('options of this reward function')),
      reward('format', 0.2),
      reward('korean', 0.2),
      reward('overlong', 0.2),
    ]),
  )
  .min(1, { error: 'expected at least one reward, e.g. - name: accuracy' })
  // A function, so that no two recipes share the list.
  .default(() => [
    { name: 'accuracy' as const, weight: 1 },
    { name: 'format' as const, weight: 0.2 },
    { name: 'korean' as const, weight: 0.2 },
    { name: 'overlong' as const, weight: 0.2 },
  ])

export type RewardSpec = z.output<typeof rewards>[number]
