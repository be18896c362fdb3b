/** Suppression of Chinese tokens (lib/smooth): the settings of Smoothie-Qwen, arXiv 2507.05686. */
import * as z from 'zod'
import { english } from '../../messages/phrase.ts'
import { nonNegative } from './values.ts'

export const smooth = z.strictObject({
  min_scale: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe('factor on the logits of Chinese tokens (1 = none)'),
  gamma: z
    .number()
    .gt(1)
    .default(10)
    .describe('base of the logarithm by which a broken token is scaled for its risk'),
  ngram_weights: z
    .array(nonNegative)
    .min(1)
    .max(3)
    .refine(weights => weights.some(weight => weight > 0), {
      error: english('expected one weight above 0: the risk is the weighted mean'),
    })
    .default(() => [0.5, 0.3, 0.2])
    .describe('weights of the risks within 2, 3 and 4 tokens in the risk of a broken token'),
  keep_korean: z
    .boolean()
    .default(true)
    .describe(
      'leave alone the symbols of Korean text (「」 ㈜ ㎏ …) and broken tokens with which no Chinese character begins',
    ),
  keep: z.string().default('').describe('further characters to leave alone, e.g. "韓國"'),
})

export type SmoothSettings = z.output<typeof smooth>
