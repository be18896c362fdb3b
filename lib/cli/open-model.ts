/** The model that `--model` names, for commands that only compute with it. */

import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Options } from 'yargs'
import type { SmoothSettings } from '../config/schema/smooth.ts'
import { ChatTemplate } from '../data/chat-template.ts'
import { Tokenizer } from '../data/tokenizer.ts'
import { type DeviceName, DTYPES, type Dtype } from '../engine/device.ts'
import { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { failure, phrase } from '../messages/phrase.ts'
import { openModelDirectory } from '../model/directory.ts'
import { suppressChinese } from '../smooth/processor.ts'
import { modelPath } from '../train/sources.ts'
import { nonEmpty, oneOf } from './options.ts'
import { smoothOption } from './smooth-option.ts'

/** Options by which a command names its model. */
export const modelOptions = {
  model: {
    type: 'string',
    requiresArg: true,
    describe: 'Hugging Face model directory, a LoRA adapter, or builtin:mini [required]',
    coerce: nonEmpty('model'),
  },
  'base-model': {
    type: 'string',
    requiresArg: true,
    describe: "The model of an adapter, if it is not where the adapter's config says",
    coerce: nonEmpty('base-model'),
  },
  init: {
    type: 'string',
    requiresArg: true,
    describe: "pretrained: the directory's weights; random: weights made from --seed",
    coerce: oneOf('init', ['pretrained', 'random']),
  },
  dtype: {
    type: 'string',
    requiresArg: true,
    describe:
      'What products multiply: float32, bfloat16 (faster), or int8 (smaller; the CPU) [default: float32]',
    coerce: oneOf('dtype', DTYPES),
  },
  smooth: smoothOption,
} as const satisfies Record<string, Options>

export interface ModelArguments {
  model: string
  baseModel?: string
  init?: 'pretrained' | 'random'
  dtype?: Dtype
  smooth?: SmoothSettings
  seed?: number
  threads?: number
  device?: DeviceName
}

export const DEFAULT_SEED = 42

export interface OpenModel {
  engine: Engine
  tokenizer: Tokenizer
  /** The model's chat template; asked for only where messages are rendered. */
  template(): ChatTemplate
}

/** The files of the model, so that a changed model can be told from the same one. */
export function modelIdentity(argv: ModelArguments): object {
  const directory = resolve(modelPath(argv.model))
  try {
    const files = readdirSync(directory)
      .sort()
      .map(name => [name, statSync(join(directory, name))] as const)
      .map(([name, { size, mtimeMs }]) => [name, size, mtimeMs])
    const { init = 'pretrained', seed = DEFAULT_SEED, smooth, dtype, baseModel } = argv
    const random = init === 'random' ? seed : null
    return { directory, files, init, seed: random, smooth, dtype, baseModel }
  } catch (cause) {
    throw new KogrpoError(
      'E_MODEL_FILE',
      phrase(
        '--model {model}: cannot be read: {reason}; give a Hugging Face directory or builtin:mini',
        { model: argv.model, reason: failure(cause) },
      ),
      { cause },
    )
  }
}

/** Standard deviation of random weights: the config's own, as transformers has it. */
function initializerRange(raw: Record<string, unknown>): number {
  const range = raw.initializer_range
  return typeof range === 'number' && range > 0 ? range : 0.02
}

/** Loads the model; the caller disposes the engine. Errors name the file at fault. */
export async function openModel(argv: ModelArguments): Promise<OpenModel> {
  const random = argv.init === 'random'
  const directory = await openModelDirectory(modelPath(argv.model), {
    weights: !random,
    base: argv.baseModel && modelPath(argv.baseModel),
  })
  const { config } = directory
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  tokenizer.requireModel(config)
  const options = {
    device: argv.device ?? 'cpu',
    threads: argv.threads ?? 0,
    dtype: argv.dtype ?? 'float32',
  } as const
  const engine = random
    ? await Engine.create({
        ...options,
        config,
        init: { seed: argv.seed ?? DEFAULT_SEED, std: initializerRange(config.raw) },
      })
    : await Engine.load(directory, options)
  if (argv.smooth !== undefined) {
    try {
      await suppressChinese(engine, tokenizer, directory.dir, argv.smooth)
    } catch (error) {
      await engine.dispose()
      throw error
    }
  }
  let template: ChatTemplate | undefined
  return {
    engine,
    tokenizer,
    template: () => {
      template ??= new ChatTemplate(tokenizer)
      return template
    },
  }
}
