/** Tiny Qwen3 models for experiments: everything the real one has, at a width of 64. */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Engine } from '../../engine/engine.ts'
import { parseModelConfig } from '../../model/config.ts'

export interface ToyOptions {
  /** Ids of the task's alphabet; rounded up to a multiple of 16. */
  vocab: number
  seed: number
  threads: number
  /** Default: 64. */
  hidden?: number
  /** Default: 2. */
  layers?: number
  /** Standard deviation of the first weights (default: 0.08). */
  std?: number
  /** Other keys of config.json: a classifier's architecture, attention to both sides. */
  config?: Record<string, unknown>
}

/** An engine with random weights. The caller disposes it. */
export async function toyEngine(options: ToyOptions): Promise<Engine> {
  const { vocab, seed, threads, hidden = 64, layers = 2, std = 0.08 } = options
  const config = parseModelConfig(
    {
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      vocab_size: Math.ceil(vocab / 16) * 16,
      hidden_size: hidden,
      intermediate_size: 2 * hidden,
      num_hidden_layers: layers,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 16,
      rms_norm_eps: 1e-6,
      rope_theta: 10_000,
      max_position_embeddings: 512,
      tie_word_embeddings: true,
      hidden_act: 'silu',
      ...options.config,
    },
    'the toy model',
  )
  return await Engine.create({ config, threads, init: { seed, std } })
}

/**
 * Keeps the engine's weights, moments and slots; the result puts them back, as often as it is called,
 * so that the arms of an experiment start from one base. What is kept goes with the process.
 */
export async function checkpointOf(engine: Engine): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'kogrpo-experiment-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'state.bin')
  await engine.saveState(file)
  return async () => await engine.loadState(file)
}
