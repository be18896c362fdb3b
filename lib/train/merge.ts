/**
 * A model with a LoRA adapter in its weights, W + scale · B · A, written as an ordinary checkpoint:
 * block by block, so that a model of any size passes through a few megabytes. The sum is made in fp32
 * and rounded once.
 */
import { rewriteTensors, type TensorSource } from '../engine/rewrite.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { ModelDirectory } from '../model/directory.ts'
import { loraScale } from '../model/lora.ts'
import type { IndexEntry } from '../model/safetensors.ts'
import { writeModelDirectory } from '../model/write-directory.ts'

/** Writes to `output`, in bf16 if all of the model's tensors are (or `dtype` says so). Throws `E_ADAPTER`. */
export async function writeMerged(
  directory: ModelDirectory,
  output: string,
  { dtype, signal }: { dtype?: 'F32' | 'BF16' | undefined; signal?: AbortSignal | undefined } = {},
): Promise<{ dtype: 'F32' | 'BF16'; merged: number }> {
  const { config, weights, adapter, dir, tokenizerDir } = directory
  if (!weights)
    throw new KogrpoError('E_MODEL_FILE', phrase('{dir} was opened without its weights', { dir }))
  if (!adapter) {
    throw new KogrpoError(
      'E_ADAPTER',
      phrase(
        '{dir} is a model without an adapter: there is nothing to merge; give the directory that holds adapter_config.json',
        { dir },
      ),
    )
  }
  const { config: lora } = adapter
  const adapters = new Map(adapter.weights.map(({ parameter, entry }) => [parameter.name, entry]))
  let merged = 0
  const sources = weights.map(({ parameter: { name, shape }, entry }): TensorSource => {
    const [rows, cols] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!]
    const source = { ...stored(entry), rows, cols }
    const factor = (which: string): IndexEntry | undefined =>
      adapters.get(name.replace(/\.weight$/, `.lora_${which}.weight`))
    const [a, b] = [factor('A'), factor('B')]
    if (a === undefined || b === undefined) return source
    merged++
    return {
      ...source,
      added: { a: stored(a), b: stored(b), rank: lora.r, scale: loraScale(lora) },
    }
  })
  const bf16 = weights.every(({ entry }) => entry.dtype === 'BF16')
  const written = dtype ?? (bf16 ? 'BF16' : 'F32')
  await writeModelDirectory(output, {
    config,
    dtype: written,
    tokenizerDir,
    writeWeights: (file, header, { begin, end }) =>
      rewriteTensors(file, header, sources.slice(begin, end), written, { signal }),
  })
  return { dtype: written, merged }
}

function stored({
  file,
  begin,
  dtype,
}: IndexEntry): Pick<TensorSource, 'file' | 'begin' | 'dtype'> {
  return { file, begin, dtype }
}
