/** The model that a run starts from, and how the engine holds and saves it. */

import * as z from 'zod'
import { DTYPES, MOMENTS } from '../../engine/device.ts'
import { parseSize } from '../size.ts'
import { smooth } from './smooth.ts'
import { count, name } from './values.ts'

export const model = z.strictObject({
  path: name
    .default('builtin:mini')
    .describe(
      '"builtin:mini", or a Hugging Face directory (config.json, *.safetensors, tokenizer)',
    ),
  init: z
    .enum(['pretrained', 'random', 'expanded'])
    .default('pretrained')
    .describe(
      'read the weights, draw them at random (only config.json and tokenizer are read), or read ' +
        'them into a deeper model whose further layers at first add nothing (LLaMA Pro)',
    ),
  config: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      'keys of config.json that differ, for a model of another size (init random), or of more layers (init expanded: num_hidden_layers)',
    ),
  dtype: z
    .enum(DTYPES)
    .default('float32')
    .describe(
      'what matrix products multiply; bfloat16 is faster, sums and the trained weights stay float32; int8 is smallest, on the CPU, for adapters alone (lora)',
    ),
  moments: z
    .enum(MOMENTS)
    .default('8bit')
    .describe("AdamW's moments on a GPU with dtype bfloat16; float32 on the CPU always"),
  gradient_checkpointing: z
    .boolean()
    .default(false)
    .describe('recompute activations in the backward pass: less memory, same results'),
  lm_head_chunk: count
    .default(256)
    .describe('tokens whose logits exist at a time; memory is this × vocabulary × 4 bytes'),
  save_dtype: z
    .enum(['float32', 'bfloat16'])
    .default('float32')
    .describe('number format of the checkpoints (float32: exactly the weights in training)'),
  max_shard_size: z
    .string()
    .refine(text => parseSize(text) >= 1000, { error: 'a size such as "5GB" or "500MB" is needed' })
    .default('5GB')
    .describe(
      'a checkpoint of more is written in several files of whole layers, which ranks share; KB, MB, GB, TB',
    ),
  smooth: smooth
    .optional()
    .describe(
      'scale the logits of Chinese tokens, in sampling and in training alike ({} for the defaults)',
    ),
})

export type ModelSpec = z.output<typeof model>
