/**
 * What of the model a stage trains: whole tensors (RedWhale's staged training, arXiv 2408.11294), or the
 * rows and columns that a mask file names (lib/neurons). The rest keeps its bits.
 */
import * as z from 'zod'
import { countOrZero, name } from './values.ts'

const trainOnly = z.strictObject({
  embed: z.boolean().default(false).describe('the embedding (of a tied model the head too)'),
  head: z.boolean().default(false).describe('the LM head (of a tied model the embedding too)'),
  norm: z.boolean().default(false).describe('the final norm'),
  layers: z
    .union([z.enum(['none', 'all', 'odd', 'even']), z.array(countOrZero).min(1)], {
      error: 'expected none, all, odd, even or a list of layers such as [0, 1]',
    })
    .default('none')
    .describe('whole layers, counted from 0 as in the names of tensors: layer 0 is even'),
})

export type TrainOnly = z.output<typeof trainOnly>

export const freezingShape = {
  train_only: trainOnly
    .optional()
    .describe(
      'train these tensors, freeze the rest to the bit (no gradient, no moments, no decay)',
    ),
  trainable_neurons: name
    .optional()
    .describe('a mask file of kogrpo neurons: train these rows and columns, freeze the rest'),
}

export interface FreezingOptions {
  train_only?: TrainOnly | undefined
  trainable_neurons?: string | undefined
}
