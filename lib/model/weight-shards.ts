/**
 * How a model's weights are divided into files, as `save_pretrained` does: one `model.safetensors` where
 * they take at most `max_shard_size`, else `model-00001-of-00007.safetensors` … with an index. A file has
 * whole blocks of the model (the embedding, a layer, the final norm with the head), as many in their order
 * as fit, and one at least, so that several ranks can write a file each without any of them ever having more
 * than a block's weights together. What files there are follows from the model alone.
 */
import type { ModelConfig } from './config.ts'
import { type Parameter, parameterLayout } from './parameters.ts'
import { encodeHeader } from './safetensors.ts'

/** Storage types of written weights. */
export type WeightDtype = 'F32' | 'BF16' | 'F16'

const DTYPE_BYTES: Record<WeightDtype, number> = { F32: 4, BF16: 2, F16: 2 }

/** Bytes of a file at most, as huggingface_hub has it. */
const MAX_SHARD_SIZE = 5e9

export const SINGLE_FILE = 'model.safetensors'
export const INDEX_FILE = 'model.safetensors.index.json'

/** One file of weights: consecutive parameters behind their header. */
export interface WeightFile {
  name: string
  /** Names of its tensors in the engine, in their order, and their places among all that are written. */
  parameters: readonly string[]
  begin: number
  end: number
  header: Buffer
  /** Of the whole file. */
  bytes: number
}

const LAYER = /^model\.layers\.(\d+)\./

/** The block of the model that a parameter is in: the embedding, a layer, or what is behind them. */
function blockOf(name: string): string {
  if (name === 'model.embed_tokens.weight') return 'embedding'
  return LAYER.exec(name)?.[1] ?? 'head'
}

/** A file of the parameters [begin, end) of `all`; `stored`: their names in the file. */
export function weightFile(
  name: string,
  all: readonly Pick<Parameter, 'name' | 'shape' | 'size'>[],
  dtype: WeightDtype,
  { begin = 0, end = all.length, stored = (own: string): string => own } = {},
): WeightFile {
  const part = all.slice(begin, end)
  const header = encodeHeader(
    part.map(({ name, shape }) => ({ name: stored(name), dtype, shape })),
    { format: 'pt' },
  )
  const elements = part.reduce((sum, { size }) => sum + size, 0)
  const bytes = header.length + elements * DTYPE_BYTES[dtype]
  return { name, parameters: part.map(({ name }) => name), begin, end, header, bytes }
}

/** The files of a model, and the text of their index; null where one file has everything. */
export function weightFiles(
  config: ModelConfig,
  dtype: WeightDtype,
  maxShardSize: number = MAX_SHARD_SIZE,
): { files: WeightFile[]; index: string | null } {
  const { parameters, total } = parameterLayout(config)
  const element = DTYPE_BYTES[dtype]
  const ends: number[] = []
  let [bytes, block] = [0, '']
  for (let at = 0; at < parameters.length; ) {
    block = blockOf(parameters[at]!.name)
    let [end, size] = [at, 0]
    while (end < parameters.length && blockOf(parameters[end]!.name) === block) {
      size += parameters[end++]!.size * element
    }
    if (ends.length > 0 && bytes + size <= maxShardSize) {
      ends[ends.length - 1] = end
      bytes += size
    } else {
      ends.push(end)
      bytes = size
    }
    at = end
  }
  if (ends.length === 1) return { files: [weightFile(SINGLE_FILE, parameters, dtype)], index: null }
  const number = (n: number): string => String(n).padStart(5, '0')
  const files = ends.map((end, i) => {
    const name = `model-${number(i + 1)}-of-${number(ends.length)}.safetensors`
    return weightFile(name, parameters, dtype, { begin: ends[i - 1] ?? 0, end })
  })
  const placed = files.flatMap(file => file.parameters.map(name => [name, file.name] as const))
  const index = {
    metadata: { total_parameters: total, total_size: total * element },
    weight_map: Object.fromEntries(placed.sort(([a], [b]) => (a < b ? -1 : 1))),
  }
  return { files, index: `${JSON.stringify(index, null, 2)}\n` }
}
