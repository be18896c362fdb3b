/** Low-rank adapters (LoRA, arXiv 2106.09685): the keys are those of PEFT's LoraConfig. */
import * as z from 'zod'
import { count, positive, seed } from './values.ts'

/** The projections that can have an adapter, in the model's order. */
export const LORA_TARGETS = [
  'q_proj',
  'k_proj',
  'v_proj',
  'o_proj',
  'gate_proj',
  'up_proj',
  'down_proj',
] as const
export type LoraTarget = (typeof LORA_TARGETS)[number]

export const lora = z.strictObject({
  r: count.default(16).describe('rank of the adapters (PEFT: 8)'),
  lora_alpha: positive
    .default(32)
    .describe('the adapters are scaled by lora_alpha / r (PEFT: 8; TRL: 32)'),
  lora_dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "share of the adapters' inputs that is left out in training, at random; the rest is scaled by 1 / (1 − it)",
    ),
  target_modules: z
    .array(z.enum(LORA_TARGETS))
    .min(1)
    .refine(targets => new Set(targets).size === targets.length, {
      error: 'expected each projection once',
    })
    .default(() => [...LORA_TARGETS])
    .describe('projections that get an adapter (PEFT: q_proj and v_proj; here all seven)'),
  use_rslora: z
    .boolean()
    .default(false)
    .describe('scale by lora_alpha / √r instead (arXiv 2312.03732)'),
  seed: seed
    .optional()
    .describe("seed of the adapters' first values and of lora_dropout (default: the recipe's)"),
})

export type LoraSpec = z.output<typeof lora>
