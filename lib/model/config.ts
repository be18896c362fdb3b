/**
 * Hugging Face `config.json` of a Qwen3 dense model, validated for this engine.
 *
 * Reads both spellings in use: transformers 4 (`rope_theta` at the top, `torch_dtype`) and
 * transformers 5 (`rope_parameters: { rope_theta, rope_type }`, `dtype`). Whatever the engine does
 * not compute (another architecture, attention biases, scaled rotary embeddings, sliding windows,
 * quantised weights …) is refused by name rather than ignored, because a model that loads and then
 * computes something else is the worst outcome. The raw object is kept so that a checkpoint writes
 * back every key it was given.
 */
import path from 'node:path'
import { z } from 'zod'
import { KogrpoError } from '../errors.ts'
import { whyUnreadable } from '../file-errors.ts'
import { parseForeignJson, readForeignText } from '../foreign-json.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'

/** Geometry of a Qwen3 dense model; all sizes in elements. */
export interface ModelConfig {
  /** Rows of the embedding and the LM head (151,936 for Qwen3; more than the tokenizer has). */
  vocabSize: number
  hiddenSize: number
  intermediateSize: number
  numLayers: number
  numHeads: number
  numKvHeads: number
  /** Independent of hiddenSize / numHeads; a multiple of 16. */
  headDim: number
  rmsNormEps: number
  ropeTheta: number
  tieWordEmbeddings: boolean
  /** Every token sees its whole sequence (`is_causal: false`): a masked-diffusion model. */
  bidirectional: boolean
  /** Classes of a token-classification head (a reward model's 2); 0: an LM head. */
  numLabels: number
  maxPositionEmbeddings: number
  /** The parsed JSON object as read, for writing back. */
  raw: Record<string, unknown>
}

/** Sizes are whole and positive, and what the engine counts in (native/engine/parameters.cpp). */
const count = z.int().positive().max(0x7fff_ffff)
const MOST_LAYERS = 4096
const MOST_PARAMETERS = 2 ** 46

const schema = z.looseObject({
  model_type: z.string(),
  architectures: z.array(z.string()).nullish(),
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count.max(MOST_LAYERS),
  num_attention_heads: count,
  num_key_value_heads: count,
  // transformers' Qwen3Config defaults head_dim to 128, whatever hidden_size / num_heads is.
  head_dim: count.nullish().transform(value => value ?? 128),
  rms_norm_eps: z.number().positive(),
  max_position_embeddings: count,
  tie_word_embeddings: z.boolean().nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: z.looseObject({}).nullish(),
  rope_parameters: z.looseObject({ rope_theta: z.number().positive().nullish() }).nullish(),
  hidden_act: z.string(),
  attention_bias: z.boolean().nullish(),
  use_sliding_window: z.boolean().nullish(),
  is_causal: z.boolean().nullish(),
  id2label: z.record(z.string(), z.unknown()).nullish(),
  num_labels: count.nullish(),
  layer_types: z.array(z.string()).nullish(),
  partial_rotary_factor: z.number().nullish(),
  quantization_config: z.unknown().optional(),
})

type RawConfig = z.infer<typeof schema>

const ARCHITECTURE = 'Qwen3ForCausalLM'
/** Hugging Face's class of a reward per token: `score.weight` instead of the LM head. */
export const TOKEN_CLASSIFIER = 'Qwen3ForTokenClassification'

const only = (value: string | Phrase): Phrase => phrase('{value} only', { value })

/** What the engine does not compute, each with the key at fault and the reason. */
function refusals(config: RawConfig): Phrase[] {
  const reasons: Phrase[] = []
  const refuse = (key: string, found: unknown, supported: Phrase): void => {
    reasons.push(
      phrase('"{key}" is {found}; the engine supports {supported}', {
        key,
        found: JSON.stringify(found),
        supported,
      }),
    )
  }
  if (config.model_type !== 'qwen3') refuse('model_type', config.model_type, only('"qwen3"'))
  const known = [ARCHITECTURE, TOKEN_CLASSIFIER]
  if (config.architectures != null && !config.architectures.some(name => known.includes(name))) {
    refuse('architectures', config.architectures, only(`["${known.join('"] and ["')}"]`))
  }
  if (config.attention_bias === true) refuse('attention_bias', true, only('false'))
  if (config.hidden_act !== 'silu') refuse('hidden_act', config.hidden_act, only('"silu"'))
  if (config.use_sliding_window === true) refuse('use_sliding_window', true, only('false'))
  const layerType = config.layer_types?.find(type => type !== 'full_attention')
  if (layerType !== undefined) refuse('layer_types', layerType, only('"full_attention"'))
  for (const key of ['rope_scaling', 'rope_parameters'] as const) {
    const rope: Record<string, unknown> | null | undefined = config[key]
    if (rope == null) continue
    const type = rope.rope_type ?? rope.type ?? 'default'
    if (type !== 'default') refuse(`${key}.rope_type`, type, only('"default"'))
    const factor = rope.partial_rotary_factor
    if (factor != null && factor !== 1) refuse(`${key}.partial_rotary_factor`, factor, only('1'))
  }
  if (config.partial_rotary_factor != null && config.partial_rotary_factor !== 1) {
    refuse('partial_rotary_factor', config.partial_rotary_factor, only('1'))
  }
  if (config.quantization_config != null) {
    refuse('quantization_config', config.quantization_config, only(phrase('unquantised weights')))
  }
  const parameters = parameterCount(config)
  if (parameters > MOST_PARAMETERS) {
    reasons.push(
      phrase('its sizes make {parameters} parameters; the engine counts to {most}', {
        parameters,
        most: MOST_PARAMETERS,
      }),
    )
  }
  if (config.head_dim % 16 !== 0) refuse('head_dim', config.head_dim, phrase('multiples of 16'))
  if (config.num_attention_heads % config.num_key_value_heads !== 0) {
    refuse(
      'num_key_value_heads',
      config.num_key_value_heads,
      phrase('divisors of num_attention_heads ({heads})', {
        heads: config.num_attention_heads,
      }),
    )
  }
  return reasons
}

/** About, and in floating point: sizes of a damaged file overflow nothing. */
function parameterCount(config: RawConfig): number {
  const { hidden_size: h, num_attention_heads: heads, num_key_value_heads: kv } = config
  const attention = 2 * h * config.head_dim * (heads + kv)
  const layer = attention + 3 * h * config.intermediate_size
  return config.num_hidden_layers * layer + 2 * h * config.vocab_size
}

function ropeTheta(config: RawConfig, file: string): number {
  const nested = config.rope_parameters?.rope_theta
  const top = config.rope_theta
  if (top != null && nested != null && top !== nested) {
    throw new KogrpoError(
      'E_MODEL_CONFIG',
      phrase(
        '{file}: "rope_theta" is {top} but "rope_parameters.rope_theta" is {nested}; keep one',
        { file, top, nested },
      ),
    )
  }
  const theta = nested ?? top
  if (theta == null) {
    throw new KogrpoError(
      'E_MODEL_CONFIG',
      phrase(
        '{file}: neither "rope_theta" nor "rope_parameters.rope_theta" is given (Qwen3: 1000000)',
        { file },
      ),
    )
  }
  return theta
}

/** Rows of the head of a token classifier, as transformers counts them; 0 for a language model. */
function labels(config: RawConfig): number {
  if (!config.architectures?.includes(TOKEN_CLASSIFIER)) return 0
  const named = Object.keys(config.id2label ?? {}).length
  return config.num_labels ?? (named > 0 ? named : 2)
}

/**
 * Validates a parsed `config.json`. `file` is only used in messages.
 * Throws `KogrpoError` `E_MODEL_CONFIG` naming file and key.
 */
export function parseModelConfig(json: unknown, file = 'config.json'): ModelConfig {
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(issue =>
      issue.path.length > 0 ? `"${issue.path.join('.')}": ${issue.message}` : issue.message,
    )
    throw new KogrpoError('E_MODEL_CONFIG', joined([file, problems.join('; ')], ': '))
  }
  const config = parsed.data
  const reasons = refusals(config)
  if (reasons.length > 0)
    throw new KogrpoError('E_MODEL_CONFIG', joined([file, joined(reasons, '; ')], ': '))
  return {
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    numLayers: config.num_hidden_layers,
    numHeads: config.num_attention_heads,
    numKvHeads: config.num_key_value_heads,
    headDim: config.head_dim,
    rmsNormEps: config.rms_norm_eps,
    ropeTheta: ropeTheta(config, file),
    tieWordEmbeddings: config.tie_word_embeddings ?? false,
    bidirectional: config.is_causal === false,
    numLabels: labels(config),
    maxPositionEmbeddings: config.max_position_embeddings,
    raw: json as Record<string, unknown>,
  }
}

/** A tokenizer.json of 262,144 entries has 33 MB. */
const MOST_BYTES = 2 ** 28

/** Reads a JSON file; `E_MODEL_FILE` when it is missing, `E_MODEL_JSON` when it is not JSON. */
export async function readJson(file: string): Promise<unknown> {
  let text: string
  try {
    text = await readForeignText(file, MOST_BYTES)
  } catch (error) {
    throw new KogrpoError(
      'E_MODEL_FILE',
      phrase('cannot read {file}: {reason}', { file, reason: whyUnreadable(file, error) }),
      {
        cause: error,
      },
    )
  }
  try {
    return parseForeignJson(text)
  } catch (error) {
    throw new KogrpoError(
      'E_MODEL_JSON',
      phrase('{file} is not valid JSON: {reason}', { file, reason: failure(error) }),
      {
        cause: error,
      },
    )
  }
}

/**
 * Reads and validates `<dir>/config.json`, with the keys of `changes` in place of its own. A change
 * of a key that the file does not have is refused: it is a misspelt one.
 */
export async function readModelConfig(
  dir: string,
  changes: Record<string, unknown> = {},
): Promise<ModelConfig> {
  const file = path.join(dir, 'config.json')
  const json = await readJson(file)
  if (Object.keys(changes).length === 0) return parseModelConfig(json, file)
  const known = z.record(z.string(), z.unknown()).safeParse(json).data ?? {}
  const unknown = Object.keys(changes).find(key => !Object.hasOwn(known, key))
  if (unknown !== undefined) {
    throw new KogrpoError(
      'E_MODEL_CONFIG',
      phrase('model.config.{unknown}: {file} has no such key; it has {keys}', {
        unknown,
        file,
        keys: Object.keys(known).join(', '),
      }),
    )
  }
  return parseModelConfig({ ...known, ...changes }, `${file} with model.config`)
}
