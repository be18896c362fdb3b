/**
 * The dense Qwen3 models as published (huggingface.co/Qwen, their config.json): what a plan needs of a
 * model that has not been downloaded yet. All have heads of 128 and a vocabulary of 151,936 rows.
 */
import { basename } from 'node:path'
import { type ModelConfig, parseModelConfig } from './config.ts'

/** [layers, hidden, heads, key/value heads, intermediate, tied head] */
const SIZES: Record<string, [number, number, number, number, number, boolean]> = {
  'Qwen3-0.6B': [28, 1024, 16, 8, 3072, true],
  'Qwen3-1.7B': [28, 2048, 16, 8, 6144, true],
  'Qwen3-4B': [36, 2560, 32, 8, 9728, true],
  'Qwen3-8B': [36, 4096, 32, 8, 12288, false],
  'Qwen3-14B': [40, 5120, 40, 8, 17408, false],
  'Qwen3-32B': [64, 5120, 64, 8, 25600, false],
}

/** The published model that a directory is named after (`models/Qwen3-8B-Base`); null if there is none. */
export function publishedModel(dir: string): { name: string; config: ModelConfig } | null {
  const name = basename(dir)
  const size = name.replace(/-Base$/, '')
  if (!Object.hasOwn(SIZES, size)) return null
  const [layers, hidden, heads, kvHeads, intermediate, tied] = SIZES[size]!
  const config = parseModelConfig(
    {
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      vocab_size: 151936,
      hidden_size: hidden,
      intermediate_size: intermediate,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: kvHeads,
      head_dim: 128,
      hidden_act: 'silu',
      rms_norm_eps: 1e-6,
      rope_theta: 1000000,
      max_position_embeddings: 40960,
      tie_word_embeddings: tied,
    },
    `the published ${name}`,
  )
  return { name, config }
}
