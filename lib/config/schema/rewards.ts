/** The reward functions of the grpo stage. */
import * as z from 'zod'
import { english } from '../../messages/phrase.ts'
import { accuracyOptions } from './accuracy.ts'
import {
  formatOptions,
  koreanOptions,
  overlongOptions,
  repetitionOptions,
  structureOptions,
} from './reward-options.ts'

const reward = <const N extends string, O extends z.ZodType>(
  rewardName: N,
  weight: number,
  options: O,
) =>
  z.strictObject({
    name: z.literal(rewardName).describe('reward function'),
    weight: z.number().default(weight).describe('factor of this reward in the sum'),
    options: options.optional().describe('options of this reward function'),
  })

export const rewards = z
  .array(
    z.discriminatedUnion('name', [
      reward('accuracy', 1, accuracyOptions),
      reward('format', 0.2, formatOptions),
      reward('korean', 0.2, koreanOptions),
      reward('overlong', 0.2, overlongOptions),
      reward('repetition', 0.2, repetitionOptions),
      reward('structure', 0.2, structureOptions),
    ]),
  )
  .min(1, { error: english('expected at least one reward, e.g. - name: accuracy') })
  // A function, so that no two recipes share the list.
  .default(() => [
    { name: 'accuracy' as const, weight: 1 },
    { name: 'format' as const, weight: 0.2 },
    { name: 'korean' as const, weight: 0.2 },
    { name: 'overlong' as const, weight: 0.2 },
  ])

/** Names in metrics and completions that are taken. */
export const TAKEN_REWARD_NAMES: readonly string[] = [
  ...['accuracy', 'format', 'korean', 'overlong', 'repetition', 'structure'],
  ...['checker', 'reward', 'cosine_length', 'consistency'],
]

export const rewardFunctions = z
  .array(
    z.strictObject({
      name: z
        .string()
        .regex(/^[a-z][a-z0-9_]*$/, {
          error: english('expected small letters, digits and "_", a letter first'),
        })
        .describe('what it is called in metrics and completions: rewards/NAME/mean'),
      path: z
        .string()
        .regex(/\.(mjs|js)$/, { error: english('expected a JavaScript module (.mjs or .js)') })
        .describe(
          'JavaScript module whose default export rates completions: ({ completions, columns, … }, options) => numbers',
        ),
      weight: z.number().default(1).describe('factor of this reward in the sum'),
      options: z
        .record(z.string(), z.unknown())
        .optional()
        .describe('handed to the function as its second argument'),
    }),
  )
  .min(1, {
    error: english('expected at least one function, e.g. - { name: brief, path: brief.mjs }'),
  })

export type RewardSpec = z.output<typeof rewards>[number]
