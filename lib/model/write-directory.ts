/**
 * Writing a Hugging Face model directory that `transformers` loads unchanged, and an adapter's that
 * PEFT does.
 *
 * Writing goes to a temporary directory beside the target, every file is flushed to disk, and one
 * rename publishes the result, so a directory under its final name is always complete. The weights
 * are written by a callback (the native engine streams them), behind a header made here, in one file or in
 * several (weight-shards.ts), which several processes may write side by side; several have SHA256SUMS.
 */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  type FileSum,
  flushTree,
  freshDirectory,
  publishDirectory,
  sumFile,
} from '../durable/files.ts'
import { requireSpace } from '../durable/space.ts'
import { writeSums } from '../durable/sums.ts'
import { KogrpoError } from '../errors.ts'
import { whyUnwritable } from '../file-errors.ts'
import { failure, phrase } from '../messages/phrase.ts'
import type { ModelConfig } from './config.ts'
import { configForSaving, copyTokenizer, generationConfig, toJson } from './describe-model.ts'
import { isFile } from './directory.ts'
import {
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  adapterConfigForSaving,
  adapterParameters,
  type LoraConfig,
  peftName,
} from './lora.ts'
import {
  INDEX_FILE,
  type WeightDtype,
  type WeightFile,
  weightFile,
  weightFiles,
} from './weight-shards.ts'

export type { WeightDtype, WeightFile } from './weight-shards.ts'

/** What a model's directory is made of beside its weights. */
interface ModelDescription {
  config: ModelConfig
  dtype: WeightDtype
  /** Source of the tokenizer and generation_config files, copied byte for byte. */
  tokenizerDir: string
  /** Bytes of a file of weights at most (a block of the model may have more); default: 5 GB. */
  maxShardSize?: number | undefined
}

/** What a written directory is made of. */
export interface ModelDirectoryContents extends ModelDescription {
  /**
   * Writes `header` and then the parameters [part.begin, part.end) of the flat order as `dtype` to
   * `file`; its size is checked afterwards. Called once for each file of weights, in their order.
   */
  writeWeights: (file: string, header: Buffer, part: WeightFile) => Promise<void>
  /** Writes further files (optimizer state, trainer state) into the temporary directory. */
  writeExtras?: (dir: string) => Promise<void>
}

/** What an adapter's directory is made of beside its weights. */
interface AdapterDescription {
  /** Of the model that the adapter belongs to, and where it is. */
  config: ModelConfig
  base: string
  lora: LoraConfig
  dtype: 'F32' | 'BF16'
  tokenizerDir: string
}

/** A directory that is to be written: its files of weights, and what writes the others. */
export interface DirectoryPlan {
  files: readonly WeightFile[]
  describe: (temporary: string) => Promise<void>
}

/** A model's directory: config.json, generation_config.json, tokenizer files and weights. */
export function planModel({
  config,
  dtype,
  tokenizerDir,
  maxShardSize,
}: ModelDescription): DirectoryPlan {
  const { files, index } = weightFiles(config, dtype, maxShardSize)
  const describe = async (temporary: string): Promise<void> => {
    await writeFile(path.join(temporary, 'config.json'), toJson(configForSaving(config, dtype)))
    await copyTokenizer(tokenizerDir, temporary)
    const generation = path.join(temporary, 'generation_config.json')
    if (!(await isFile(generation))) await writeFile(generation, toJson(generationConfig(config)))
    if (index !== null) await writeFile(path.join(temporary, INDEX_FILE), index)
  }
  return { files, describe }
}

/** An adapter's directory as PEFT writes it, with the tokenizer beside it. */
export function planAdapter({
  config,
  base,
  lora,
  dtype,
  tokenizerDir,
}: AdapterDescription): DirectoryPlan {
  const parameters = adapterParameters(config, lora, 0)
  const describe = async (temporary: string): Promise<void> => {
    const json = toJson(adapterConfigForSaving(lora, path.resolve(base)))
    await writeFile(path.join(temporary, ADAPTER_CONFIG), json)
    await copyTokenizer(tokenizerDir, temporary)
  }
  return { files: [weightFile(ADAPTER_WEIGHTS, parameters, dtype, { stored: peftName })], describe }
}

/** Whether config.json is a model's: that of a run, a recipe, has the same name. */
async function describesModel(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return ''
    const problem = phrase('cannot read {path}: {reason}', { path: file, reason: failure(cause) })
    throw new KogrpoError('E_MODEL_WRITE', problem, { cause })
  })
  try {
    const config: unknown = JSON.parse(text)
    return typeof config === 'object' && config !== null && 'model_type' in config
  } catch {
    return false
  }
}

/** Throws unless `dir` is not there, empty, or a model directory: only these may be replaced. */
async function checkReplaceable(dir: string): Promise<void> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new KogrpoError(
      'E_MODEL_WRITE',
      phrase('cannot write {dir}: {reason}', { dir, reason: failure(error) }),
    )
  })
  if (names === null || names.length === 0 || names.includes(ADAPTER_CONFIG)) return
  if (!(await describesModel(path.join(dir, 'config.json')))) {
    throw new KogrpoError(
      'E_MODEL_WRITE',
      phrase('{dir} exists and is not a model directory; choose another or remove it', { dir }),
    )
  }
}

/** Throws `E_MODEL_WRITE` where a file of weights is not as long as it should be. */
export async function checkSize(file: string, expected: number): Promise<void> {
  const { size } = await stat(file)
  if (size !== expected) {
    throw new KogrpoError(
      'E_MODEL_WRITE',
      phrase('{file} has {size} bytes, expected {expected}', { file, size, expected }),
    )
  }
}

/** Where the files of `dir` are written until all are there. */
export function temporaryOf(dir: string): string {
  const target = path.resolve(dir)
  return path.join(path.dirname(target), `.${path.basename(target)}.partial`)
}

/**
 * Begins a directory: makes `temporaryOf(dir)`. Throws `E_MODEL_WRITE` where something else than a model
 * has the name, `E_DISK_FULL` where there is no room.
 */
export async function beginDirectory(dir: string, { files }: DirectoryPlan): Promise<void> {
  const target = path.resolve(dir)
  await checkReplaceable(target)
  await whole(target, async () => {
    await freshDirectory(temporaryOf(target))
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    await requireSpace(temporaryOf(target), bytes, `the model ${path.basename(target)}`)
  })
}

/**
 * Ends it when all weights are there: writes the other files, of several files of weights also SHA256SUMS
 * of all (`sums`: of those whose hashes are known), and gives it its name. On failure nothing under `dir`
 * has changed and the temporary directory is gone. Throws `E_MODEL_WRITE`.
 */
export async function endDirectory(
  dir: string,
  { files, describe }: DirectoryPlan,
  sums: Readonly<Record<string, FileSum>> = {},
  writeExtras: (temporary: string) => Promise<void> = async () => {},
): Promise<void> {
  const target = path.resolve(dir)
  const temporary = temporaryOf(target)
  await whole(target, async () => {
    await describe(temporary)
    await writeExtras(temporary)
    if (files.length > 1) {
      const all: Record<string, FileSum> = {}
      for (const name of (await readdir(temporary)).sort()) {
        all[name] = sums[name] ?? (await sumFile(path.join(temporary, name)))
      }
      await writeSums(temporary, all)
    }
    await flushTree(temporary)
    await publishDirectory(temporary, target)
  })
}

/** Gives up a directory that was begun. */
export async function dropDirectory(dir: string): Promise<void> {
  await rm(temporaryOf(dir), { recursive: true, force: true })
}

/** Runs a part of writing `target`; where it fails the temporary directory goes. */
async function whole(target: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    await dropDirectory(target)
    throw unwritten(target, error)
  }
}

/** Why `dir` could not be written: `E_MODEL_WRITE`, or what the error says itself. */
export function unwritten(dir: string, error: unknown): KogrpoError {
  if (error instanceof KogrpoError) return error
  return new KogrpoError(
    'E_MODEL_WRITE',
    phrase('cannot write {dir}: {reason}', { dir, reason: whyUnwritable(error) }),
    {
      cause: error,
    },
  )
}

/**
 * Writes a complete Hugging Face directory at `dir`: config.json, generation_config.json, tokenizer
 * files and the weights, in one file or several. An existing model directory of that name is replaced;
 * anything else there is refused. On failure nothing under `dir` has changed. Throws `KogrpoError`
 * `E_MODEL_WRITE`.
 */
export async function writeModelDirectory(
  dir: string,
  contents: ModelDirectoryContents,
): Promise<void> {
  const plan = planModel(contents)
  await beginDirectory(dir, plan)
  await whole(path.resolve(dir), async () => {
    for (const part of plan.files) {
      const file = path.join(temporaryOf(dir), part.name)
      await contents.writeWeights(file, part.header, part)
      await checkSize(file, part.bytes)
    }
  })
  await endDirectory(dir, plan, {}, contents.writeExtras)
}
