/**
 * A weights file made from tensors of other files, block by block, so that a model of any size passes
 * through a few megabytes. Beside engine.ts, because only this folder knows the addon.
 */
import { controlled } from './control.ts'
import { loadNative } from './native.ts'

/** A stored matrix [rows, cols] (a vector is one row), and a factor a row where it is not 1. */
export interface TensorSource {
  file: string
  /** Offset of the first byte in the file. */
  begin: number
  dtype: string
  rows: number
  cols: number
  /** One factor a row; absent: the values as they are. */
  rowScale?: Float32Array
  /** scale · B [rows, rank] · A [rank, cols], added in fp32; absent: nothing. */
  added?: { a: StoredValues; b: StoredValues; rank: number; scale: number }
  /** Rows behind the others. */
  further?: FurtherRows
}

/** First `values` [n, cols] as they are, then one row an element of `of`: the mean of the tensor's rows
 *  ids[cu[of]] … ids[cu[of + 1] − 1], or 0 where `of` is −1. */
export interface FurtherRows {
  /** Rows of the tensor in its file; the first `rows` of them are copied. */
  height: number
  values?: Float32Array
  ids?: Int32Array
  cu?: Int32Array
  of?: Int32Array
}

/** Where the values of a matrix lie. */
type StoredValues = Pick<TensorSource, 'file' | 'begin' | 'dtype'>

/**
 * Writes `header` (a safetensors header of the sources in this order as `dtype`) and the values
 * behind it. bf16 rounds to nearest, ties to even. Throws `ERR_IO`, `ABORT_ERR`; no unfinished file
 * is left behind.
 */
export async function rewriteTensors(
  file: string,
  header: Uint8Array,
  sources: TensorSource[],
  dtype: 'F32' | 'BF16',
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const native = new (loadNative().NativeEngine)()
  try {
    await controlled(signal, control =>
      native.rewriteTensors(file, new Uint8Array(header), sources, dtype, control),
    )
  } finally {
    await native.close()
  }
}
