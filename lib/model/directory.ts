/**
 * Hugging Face model directories, opened for the engine: what the native side needs (geometry, flat
 * parameter layout, byte ranges of every tensor), without touching tensor data.
 */
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { didYouMean } from '../config/nearest.ts'
import { KogrpoError } from '../errors.ts'
import { type Phrase, phrase } from '../messages/phrase.ts'
import { type ModelConfig, readModelConfig } from './config.ts'
import {
  type Adapter,
  baseDirectory,
  isAdapterDirectory,
  readAdapter,
  readAdapterConfig,
} from './lora.ts'
import {
  matchParameters,
  type Parameter,
  type ParameterLayout,
  parameterLayout,
} from './parameters.ts'
import { publishedModel } from './published.ts'
import type { IndexEntry } from './safetensors.ts'
import { readIndex } from './weight-files.ts'

/** Everything known about a model before its weights are mapped. */
export interface ModelDirectory {
  dir: string
  config: ModelConfig
  layout: ParameterLayout
  /** Where each parameter's bytes lie, in flat order; null when opened without weights. */
  weights: { parameter: Parameter; entry: IndexEntry }[] | null
  /** The directory the tokenizer files come from. */
  tokenizerDir: string
  /** The adapter beside the weights; absent: none. */
  adapter?: Adapter | undefined
}

/** Files that every tokenizer has. */
export const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json'] as const

/** Whether there is a file of this name. */
export async function isFile(file: string): Promise<boolean> {
  const info = await stat(file).catch(() => null)
  return info?.isFile() ?? false
}

/** Whether there is anything of this name. */
export async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null)) !== null
}

/** The error of a model directory that is not there, with where to get it or what was perhaps meant. */
async function missingModel(dir: string): Promise<KogrpoError> {
  const whole = path.resolve(dir)
  const published = publishedModel(dir)
  const beside = await readdir(path.dirname(whole)).catch(() => [])
  const remedy: Phrase = dir.startsWith('~')
    ? phrase('"~" is the home directory to a shell alone: write the whole path')
    : published === null
      ? phrase('a model is a Hugging Face directory: config.json, tokenizer files, safetensors')
      : phrase('download it: hf download Qwen/{name} --local-dir {dir}', {
          name: published.name,
          dir,
        })
  return new KogrpoError(
    'E_MODEL_FILE',
    phrase('there is no model {path}{hint}; {remedy}', {
      path: whole,
      hint: didYouMean(path.basename(whole), beside, path.join(path.dirname(dir), '/')),
      remedy,
    }),
  )
}

interface OpenOptions {
  weights?: boolean
  tokenizerDir?: string | undefined
  config?: Record<string, unknown> | undefined
  /** The model of an adapter, where it is not where the adapter says. */
  base?: string | undefined
}

/**
 * Opens a model directory, or the directory of a LoRA adapter together with the model it names.
 * `weights: false` reads only config.json (for random initialisation); `tokenizerDir` names another
 * directory for the tokenizer files; `config` replaces keys of config.json, for a model of another size
 * that is to be made. Throws `KogrpoError` `E_MODEL_CONFIG`, `E_MODEL_FILE`, `E_MODEL_WEIGHTS`,
 * `E_ADAPTER` or `E_SAFETENSORS`.
 */
export async function openModelDirectory(
  dir: string,
  options: OpenOptions = {},
): Promise<ModelDirectory> {
  if (isAdapterDirectory(dir)) return await openAdapterDirectory(dir, options)
  if (options.base !== undefined) {
    throw new KogrpoError(
      'E_ADAPTER',
      phrase('{dir} is not an adapter, so it has no base model to name', { dir }),
    )
  }
  if (!(await isThere(dir))) throw await missingModel(dir)
  const config = await readModelConfig(dir, options.config)
  const layout = parameterLayout(config)
  const weights = options.weights === false ? null : matchParameters(layout, await readIndex(dir))
  const tokenizerDir = options.tokenizerDir ?? dir
  for (const name of TOKENIZER_FILES) {
    if (!(await isFile(path.join(tokenizerDir, name)))) {
      throw new KogrpoError(
        'E_MODEL_FILE',
        phrase('{path} does not exist; give the directory that holds the tokenizer files', {
          path: path.join(tokenizerDir, name),
        }),
      )
    }
  }
  return { dir, config, layout, weights, tokenizerDir }
}

async function openAdapterDirectory(dir: string, options: OpenOptions): Promise<ModelDirectory> {
  const { base: _base, ...rest } = options
  const { base } = await readAdapterConfig(dir)
  // A checkpoint of this project has the tokenizer that was trained with; PEFT's may have none.
  const own = await Promise.all(TOKENIZER_FILES.map(name => isFile(path.join(dir, name))))
  const model = await openModelDirectory(await baseDirectory(dir, base, options.base), {
    ...rest,
    tokenizerDir: options.tokenizerDir ?? (own.every(Boolean) ? dir : undefined),
  })
  return { ...model, adapter: await readAdapter(dir, model.config, model.layout.total) }
}
