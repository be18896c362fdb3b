/**
 * What stands beside a model's weights in its directory: config.json, the generation defaults, and the
 * tokenizer's files, copied byte for byte.
 */
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type ModelConfig, readJson, TOKEN_CLASSIFIER } from './config.ts'
import { isFile, TOKENIZER_FILES } from './directory.ts'
import type { WeightDtype } from './weight-shards.ts'

const OPTIONAL_FILES = [
  'chat_template.jinja',
  'generation_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
] as const

const DTYPE_NAMES: Record<WeightDtype, string> = {
  F32: 'float32',
  BF16: 'bfloat16',
  F16: 'float16',
}
/** `config.json` as transformers expects it beside weights stored as `dtype`. */
export function configForSaving(config: ModelConfig, dtype: WeightDtype): Record<string, unknown> {
  const { dtype: newStyle, torch_dtype: _oldStyle, ...rest } = config.raw
  // transformers 4 reads `torch_dtype` and transformers 5 both: keep the spelling of the source.
  const modern = newStyle !== undefined || config.raw.rope_parameters !== undefined
  return {
    ...rest,
    architectures: [config.numLabels > 0 ? TOKEN_CLASSIFIER : 'Qwen3ForCausalLM'],
    model_type: 'qwen3',
    [modern ? 'dtype' : 'torch_dtype']: DTYPE_NAMES[dtype],
  }
}

/** As transformers writes it: two spaces, a line break at the end. */
export function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** Copies a tokenizer from one directory to another. */
export async function copyTokenizer(from: string, to: string): Promise<void> {
  for (const name of TOKENIZER_FILES) await copyFile(path.join(from, name), path.join(to, name))
  for (const name of OPTIONAL_FILES) {
    const source = path.join(from, name)
    if (await isFile(source)) await copyFile(source, path.join(to, name))
  }
  // transformers before 4.52 knows the chat template only as a key of tokenizer_config.json.
  const jinja = path.join(from, 'chat_template.jinja')
  const configFile = path.join(to, 'tokenizer_config.json')
  const config = (await readJson(configFile)) as Record<string, unknown>
  if (config.chat_template === undefined && (await isFile(jinja))) {
    await writeFile(configFile, toJson({ ...config, chat_template: await readFile(jinja, 'utf8') }))
  }
}

/** Defaults for generation taken from config.json when the source has no generation_config.json. */
export function generationConfig(config: ModelConfig): Record<string, unknown> {
  const keys = ['bos_token_id', 'eos_token_id', 'pad_token_id'] as const
  const known = keys.filter(key => config.raw[key] != null)
  return Object.fromEntries([
    ['_from_model_config', true],
    ...known.map(key => [key, config.raw[key]]),
  ])
}
