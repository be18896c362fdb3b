/**
 * Prints what the addon named by KOGRPO_NATIVE computes, as one hash a line: sampling, a training
 * step and scoring of a small random model, on the bits. Two builds of the same sources must agree.
 * Runs on the compiled dist/, so that it is plain JavaScript.
 */
import { createHash } from 'node:crypto'
import { Engine } from '../../dist/engine/engine.js'
import { parseModelConfig } from '../../dist/model/config.js'

const config = parseModelConfig({
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  vocab_size: 211,
  hidden_size: 96,
  intermediate_size: 160,
  num_hidden_layers: 2,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  head_dim: 32,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  max_position_embeddings: 512,
  tie_word_embeddings: false,
  hidden_act: 'silu',
})

const report = (name, ...arrays) => {
  const hash = createHash('sha256')
  for (const array of arrays)
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
  console.log(`${name} ${hash.digest('hex')}`)
}

const engine = await Engine.create({
  config,
  threads: 2,
  init: { seed: 11, std: 0.1, normScale: 0.1 },
})
const prompts = [3, 17, 70].map(length =>
  Int32Array.from({ length }, (_, i) => (i * i * 5 + 3) % 211),
)
const completions = await engine.generate(
  prompts.map((tokens, stream) => ({ tokens, maxNewTokens: 40, topP: 0.95, seed: 5, stream })),
)
report('sampled tokens', ...completions.map(({ tokens }) => tokens))
report('their log-probs', ...completions.map(({ logprobs }) => logprobs))

const sequences = prompts.map((prompt, i) => Int32Array.from([...prompt, ...completions[i].tokens]))
const cuSeqlens = Int32Array.from([
  0,
  ...sequences.map((_, i) => sequences.slice(0, i + 1).reduce((sum, s) => sum + s.length, 0)),
])
const tokens = Int32Array.from(sequences.flatMap(sequence => [...sequence]))
const coef = Float32Array.from(tokens, (_, i) => ((i * 37) % 19) / 19 - 0.5)
for (const first of cuSeqlens.subarray(0, -1)) coef[first] = 0 // nothing precedes it
const values = await engine.forwardBackward({ tokens, cuSeqlens }, coef)
report('log-probs and entropies', values.logprobs, values.entropies)
const { gradNorm } = await engine.optimizerStep({
  learningRate: 1e-2,
  weightDecay: 0.1,
  maxGradNorm: 1,
})
report('gradient norm', Float64Array.of(gradNorm))
const parameters = []
for (const { name } of await engine.layout()) parameters.push(await engine.readParameter(name))
report('weights after one step', ...parameters)
await engine.dispose()
