// Writes the weights of an engine as GGUF (version 3, the format of llama.cpp), matrices in bf16 rounded
// to nearest even, norms in fp32. The vocabulary is made up: 256 bytes and then numbered words, since
// only ids matter here. Format: ggml's docs/gguf.md; names of tensors and keys: llama.cpp's qwen3.
import { closeSync, openSync, readSync, renameSync, writeSync } from 'node:fs'

const UINT32 = 4
const FLOAT32 = 6
const STRING = 8
const ARRAY = 9
const INT32 = 5
const F32 = 0
const BF16 = 30
const ALIGNMENT = 32

const u32 = value => Buffer.from(Uint32Array.of(value).buffer)
const u64 = value => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const text = value => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])
const entry = (key, type, value) => Buffer.concat([text(key), u32(type), value])
const array = (type, values, one) =>
  Buffer.concat([u32(type), u64(values.length), ...values.map(one)])

/** GPT-2's printable stand-ins of the 256 bytes. */
function byteTokens() {
  const printable = b => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174
  let next = 256
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : next++))
}

function vocabulary(size) {
  const bytes = byteTokens()
  const words = Array.from({ length: size }, (_, i) => bytes[i] ?? `<w${i}>`)
  words[size - 1] = '<|end|>'
  return words
}

function metadata(config) {
  const c = config
  const words = vocabulary(c.vocabSize)
  const count = (key, value) => entry(`qwen3.${key}`, UINT32, u32(value))
  const real = (key, value) =>
    entry(`qwen3.${key}`, FLOAT32, Buffer.from(Float32Array.of(value).buffer))
  return [
    entry('general.architecture', STRING, text('qwen3')),
    entry('general.name', STRING, text('random')),
    count('block_count', c.numLayers),
    count('context_length', c.maxPositionEmbeddings),
    count('embedding_length', c.hiddenSize),
    count('feed_forward_length', c.intermediateSize),
    count('attention.head_count', c.numHeads),
    count('attention.head_count_kv', c.numKvHeads),
    count('attention.key_length', c.headDim),
    count('attention.value_length', c.headDim),
    real('attention.layer_norm_rms_epsilon', c.rmsNormEps),
    real('rope.freq_base', c.ropeTheta),
    entry('tokenizer.ggml.model', STRING, text('gpt2')),
    entry('tokenizer.ggml.pre', STRING, text('qwen2')),
    entry('tokenizer.ggml.tokens', ARRAY, array(STRING, words, text)),
    // 1: a word, 3: a control token, which ends a text.
    entry(
      'tokenizer.ggml.token_type',
      ARRAY,
      array(INT32, words, word => u32(word === '<|end|>' ? 3 : 1)),
    ),
    entry('tokenizer.ggml.merges', ARRAY, array(STRING, ['a b'], text)),
    entry('tokenizer.ggml.eos_token_id', UINT32, u32(words.length - 1)),
  ]
}

/** Names of ours and of llama.cpp. */
function tensorNames(config) {
  const layer = {
    'input_layernorm.weight': 'attn_norm.weight',
    'self_attn.q_proj.weight': 'attn_q.weight',
    'self_attn.k_proj.weight': 'attn_k.weight',
    'self_attn.v_proj.weight': 'attn_v.weight',
    'self_attn.q_norm.weight': 'attn_q_norm.weight',
    'self_attn.k_norm.weight': 'attn_k_norm.weight',
    'self_attn.o_proj.weight': 'attn_output.weight',
    'post_attention_layernorm.weight': 'ffn_norm.weight',
    'mlp.gate_proj.weight': 'ffn_gate.weight',
    'mlp.up_proj.weight': 'ffn_up.weight',
    'mlp.down_proj.weight': 'ffn_down.weight',
  }
  const names = [
    ['model.embed_tokens.weight', 'token_embd.weight'],
    ['model.norm.weight', 'output_norm.weight'],
  ]
  for (let l = 0; l < config.numLayers; l++)
    for (const [own, theirs] of Object.entries(layer))
      names.push([`model.layers.${l}.${own}`, `blk.${l}.${theirs}`])
  if (!config.tieWordEmbeddings) names.push(['lm_head.weight', 'output.weight'])
  return names
}

function toBf16(values) {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = (bits[i] + 0x7fff + ((bits[i] >> 16) & 1)) >>> 16
  return out
}

const aligned = bytes => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

/**
 * What stands before the weights, and these in their order. `shapes`: of every parameter by name, [rows, columns] or
 * [columns].
 */
function layout(config, shapes) {
  const tensors = tensorNames(config).map(([own, theirs]) => {
    const shape = shapes.get(own)
    const matrix = shape.length === 2
    const bytes = shape.reduce((a, b) => a * b) * (matrix ? 2 : 4)
    return { own, theirs, shape, matrix, bytes }
  })
  let offset = 0
  const infos = tensors.map(({ theirs, shape, matrix, bytes }) => {
    const at = offset
    offset += aligned(bytes)
    const sizes = [...shape].reverse().map(u64) // columns first
    return Buffer.concat([
      text(theirs),
      u32(shape.length),
      ...sizes,
      u32(matrix ? BF16 : F32),
      u64(at),
    ])
  })
  const keys = metadata(config)
  const counts = [u32(3), u64(tensors.length), u64(keys.length)]
  return { tensors, head: Buffer.concat([Buffer.from('GGUF'), ...counts, ...keys, ...infos]) }
}

/** Whether a file that writeGguf has written is of this geometry. */
export function isGgufOf(file, config, shapes) {
  const { head } = layout(config, shapes)
  const found = Buffer.alloc(head.length)
  const input = openSync(file, 'r')
  try {
    return readSync(input, found) === head.length && found.equals(head)
  } finally {
    closeSync(input)
  }
}

/** Writes the engine's weights to `file`, by way of a file beside it. */
export async function writeGguf(file, engine, shapes) {
  const { tensors, head } = layout(engine.config, shapes)
  const partial = `${file}.partial`
  const out = openSync(partial, 'w')
  try {
    let at = 0
    const write = bytes => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(out, bytes, done, bytes.length - done)
      at += bytes.length
      const gap = aligned(at) - at
      if (gap > 0) at += writeSync(out, Buffer.alloc(gap))
    }
    write(head)
    for (const { own, matrix } of tensors) {
      const values = await engine.readParameter(own)
      const data = matrix ? toBf16(values) : values
      write(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
    }
  } finally {
    closeSync(out)
  }
  renameSync(partial, file)
}
