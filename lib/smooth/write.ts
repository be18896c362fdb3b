/**
 * A checkpoint with the suppression in its weights: rows of the LM head times their factors, every
 * other tensor as it was. A model with tied embeddings gets an LM head of its own first: scaling the
 * shared matrix would change what the model reads as well. `config.json` keeps the settings under
 * `kogrpo_smooth`, so that no model is smoothed twice.
 */
import type { SmoothSettings } from '../config/schema/smooth.ts'
import { rewriteTensors, type TensorSource } from '../engine/rewrite.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ModelDirectory } from '../model/directory.ts'
import { parameterLayout } from '../model/parameters.ts'
import { writeModelDirectory } from '../model/write-directory.ts'
import type { Smoothing } from './smooth.ts'

const MARK = 'kogrpo_smooth'
const EMBEDDING = 'model.embed_tokens.weight'
const LM_HEAD = 'lm_head.weight'

/** Throws `E_SMOOTH` for a model whose weights are smoothed already. */
export function refuseSmoothed(config: ModelConfig, dir: string): void {
  if (config.raw[MARK] === undefined) return
  throw new KogrpoError(
    'E_SMOOTH',
    phrase(
      '{dir}: the LM head is smoothed already ({mark} in config.json: {settings}); a second time would square the factors. Start from the model it was made from',
      { dir, mark: MARK, settings: JSON.stringify(config.raw[MARK]) },
    ),
  )
}

/**
 * Writes the smoothed model to `output`, in bf16 if all of its tensors are, else in fp32. Memory: a
 * few megabytes. Throws `E_SMOOTH`, `E_MODEL_WRITE`.
 */
export async function writeSmoothed(
  directory: ModelDirectory,
  smoothing: Smoothing,
  settings: SmoothSettings,
  output: string,
  signal?: AbortSignal,
): Promise<{ dtype: 'F32' | 'BF16'; untied: boolean }> {
  const { config, weights, dir, tokenizerDir } = directory
  if (!weights)
    throw new KogrpoError('E_MODEL_FILE', phrase('{dir} was opened without its weights', { dir }))
  refuseSmoothed(config, dir)
  const untied = config.tieWordEmbeddings
  const written: ModelConfig = {
    ...config,
    tieWordEmbeddings: false,
    raw: { ...config.raw, tie_word_embeddings: false, [MARK]: settings },
  }
  const entries = new Map(weights.map(({ parameter, entry }) => [parameter.name, entry]))
  const dtype = weights.every(({ entry }) => entry.dtype === 'BF16') ? 'BF16' : 'F32'
  const sources = parameterLayout(written).parameters.map(({ name, shape }): TensorSource => {
    const { file, begin, dtype } = entries.get(name) ?? entries.get(EMBEDDING)!
    const [rows, cols] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!]
    const rowScale = name === LM_HEAD ? { rowScale: smoothing.scale } : {}
    return { file, begin, dtype, rows, cols, ...rowScale }
  })
  await writeModelDirectory(output, {
    config: written,
    dtype,
    tokenizerDir,
    writeWeights: (file, header, { begin, end }) =>
      rewriteTensors(file, header, sources.slice(begin, end), dtype, { signal }),
  })
  return { dtype, untied }
}
