/**
 * safetensors headers: reading, checking and writing. Tensor bytes are not touched here; the native
 * engine memory-maps the byte ranges this file reports.
 *
 * Layout (https://github.com/huggingface/safetensors#format): u64 little-endian n, then n bytes of
 * UTF-8 JSON `{ name: { dtype, shape, data_offsets: [begin, end] }, "__metadata__": {str: str} }`,
 * then the data; offsets count from the end of the header. The acceptance rules are those of the
 * upstream Rust reader: header ≤ 100,000,000 bytes, tensors sorted by offset tile the data without
 * hole or overlap to the last byte of the file, and end − begin equals the size of the shape.
 * Duplicate keys, which the format forbids and some readers let through, are refused.
 */
import { open } from 'node:fs/promises'
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'
import { parseStrictJson, type StrictJson } from './strict-json.ts'

/** Bits per element of every dtype the format knows. */
const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

/** A dtype name of the safetensors format. */
export type Dtype = keyof typeof DTYPE_BITS

/** Where one tensor lies in its file: byte range [begin, end) from the start of the file. */
interface TensorInfo {
  dtype: Dtype
  shape: number[]
  begin: number
  end: number
}

/** A checked header. */
interface Header {
  tensors: Map<string, TensorInfo>
  metadata: Record<string, string>
}

/** A tensor of a model directory with the absolute path of the file that holds it. */
export interface IndexEntry extends TensorInfo {
  name: string
  file: string
}

/** A tensor to be written: its data follows in the order given. */
export interface TensorSpec {
  name: string
  dtype: Dtype
  shape: readonly number[]
}

/** Upstream's limit on n. */
export const MAX_HEADER_BYTES = 100_000_000

/** Throws `E_SAFETENSORS` about a file. */
export function refuse(file: string, reason: Phrase, cause?: unknown): never {
  throw new KogrpoError('E_SAFETENSORS', joined([file, reason], ': '), { cause })
}

function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(DTYPE_BITS, name)
}

/** Bytes of a tensor; NaN when the size is not a whole number of bytes or not exactly countable. */
function byteSize(dtype: Dtype, shape: readonly number[]): number {
  let elements = 1
  for (const dim of shape) {
    elements *= dim
    if (!Number.isSafeInteger(elements)) return Number.NaN
  }
  const bytes = (elements * DTYPE_BITS[dtype]) / 8
  return Number.isSafeInteger(bytes) ? bytes : Number.NaN
}

function isSizeArray(value: StrictJson | undefined): value is number[] {
  return Array.isArray(value) && value.every(item => Number.isSafeInteger(item))
}

function parseTensor(file: string, name: string, value: StrictJson, base: number): TensorInfo {
  const where = `tensor ${JSON.stringify(name)}`
  if (!(value instanceof Map))
    refuse(file, phrase('{where} is not described by an object', { where }))
  const dtype = value.get('dtype')
  const shape = value.get('shape')
  const offsets = value.get('data_offsets')
  if (!isDtype(dtype))
    refuse(
      file,
      phrase('{where} has unknown dtype {dtype}', { where, dtype: JSON.stringify(dtype) }),
    )
  if (!isSizeArray(shape))
    refuse(file, phrase('{where}: "shape" is not a list of sizes', { where }))
  if (!isSizeArray(offsets) || offsets.length !== 2) {
    refuse(file, phrase('{where}: "data_offsets" is not a pair of byte offsets', { where }))
  }
  const [begin, end] = offsets as [number, number]
  if (end < begin)
    refuse(
      file,
      phrase('{where}: data_offsets [{begin}, {end}] end before they begin', { where, begin, end }),
    )
  const size = byteSize(dtype, shape)
  if (end - begin !== size) {
    refuse(
      file,
      phrase(
        '{where}: {dtype} [{shape}] takes {size} bytes but data_offsets [{begin}, {end}] hold {held}',
        { where, dtype, shape: shape.join(', '), size, begin, end, held: end - begin },
      ),
    )
  }
  return { dtype, shape, begin: base + begin, end: base + end }
}

function parseMetadata(file: string, value: StrictJson | undefined): Record<string, string> {
  if (value === undefined || value === null) return {}
  if (!(value instanceof Map)) refuse(file, phrase('"__metadata__" is not an object of strings'))
  const entries = [...value].map(([key, item]): [string, string] => {
    if (typeof item !== 'string')
      refuse(file, phrase('"__metadata__" value of "{key}" is not a string', { key }))
    return [key, item]
  })
  return Object.fromEntries(entries)
}

/** The tensors in offset order must tile [base, fileSize) exactly. */
function checkTiling(file: string, tensors: Header['tensors'], base: number, size: number): void {
  const order = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let next = base
  for (const [name, { begin, end }] of order) {
    if (begin !== next) {
      refuse(
        file,
        phrase('tensor {name} begins at data offset {at} where {expected} was expected ({kind})', {
          name: JSON.stringify(name),
          at: begin - base,
          expected: next - base,
          kind: begin < next ? phrase('overlap') : phrase('hole'),
        }),
      )
    }
    next = end
  }
  if (next !== size) {
    refuse(
      file,
      phrase('the tensors end at byte {end} but the file has {size} bytes ({why})', {
        end: next,
        size,
        why: next > size ? phrase('truncated download?') : phrase('data that no tensor describes'),
      }),
    )
  }
}

/**
 * Checks the n header bytes of a file of `fileSize` bytes. `file` is only used in messages.
 * Throws `KogrpoError` `E_SAFETENSORS`.
 */
export function parseHeader(json: Uint8Array, fileSize: number, file: string): Header {
  let root: StrictJson
  try {
    // ignoreBOM keeps a byte-order mark in the text, where the JSON grammar then refuses it.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json)
    root = parseStrictJson(text)
  } catch (error) {
    refuse(
      file,
      phrase('the header is not valid UTF-8 JSON: {reason}', { reason: failure(error) }),
      error,
    )
  }
  if (!(root instanceof Map)) refuse(file, phrase('the header is not a JSON object'))
  const base = 8 + json.length
  const metadata = parseMetadata(file, root.get('__metadata__'))
  const tensors = new Map<string, TensorInfo>()
  for (const [name, value] of root) {
    if (name !== '__metadata__') tensors.set(name, parseTensor(file, name, value, base))
  }
  checkTiling(file, tensors, base, fileSize)
  return { tensors, metadata }
}

/**
 * Reads and checks the header of one file, never its data. Offsets in the result are absolute.
 * Throws `KogrpoError` `E_SAFETENSORS` for a malformed file, `E_MODEL_FILE` for an unreadable one.
 */
export async function readHeader(file: string): Promise<Header> {
  let handle: Awaited<ReturnType<typeof open>>
  try {
    handle = await open(file, 'r')
  } catch (error) {
    throw new KogrpoError(
      'E_MODEL_FILE',
      phrase('cannot open {file}: {reason}', { file, reason: failure(error) }),
      {
        cause: error,
      },
    )
  }
  try {
    const { size } = await handle.stat()
    if (size < 8)
      refuse(file, phrase('{size} bytes are too few for a safetensors header', { size }))
    const prefix = Buffer.alloc(8)
    await handle.read(prefix, 0, 8, 0)
    const length = prefix.readBigUInt64LE()
    if (length > BigInt(MAX_HEADER_BYTES)) {
      refuse(
        file,
        phrase('header of {length} bytes exceeds the limit of {most}', {
          length: String(length),
          most: MAX_HEADER_BYTES,
        }),
      )
    }
    const bytes = Number(length)
    if (8 + bytes > size) {
      refuse(
        file,
        phrase('the header needs {needed} bytes but the file has {size}', {
          needed: 8 + bytes,
          size,
        }),
      )
    }
    const json = Buffer.alloc(bytes)
    for (let done = 0; done < bytes; ) {
      const { bytesRead } = await handle.read(json, done, bytes - done, 8 + done)
      if (bytesRead === 0) refuse(file, phrase('the file became shorter while its header was read'))
      done += bytesRead
    }
    return parseHeader(json, size, file)
  } finally {
    await handle.close()
  }
}

/**
 * The first bytes of a safetensors file whose data is the given tensors in the given order without
 * gaps: u64 length and JSON, padded with spaces to a multiple of 8 bytes. Every tensor must fall on
 * a multiple of its own element size (order wider dtypes first).
 */
export function encodeHeader(
  tensors: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): Buffer {
  const root = new Map<string, unknown>()
  if (Object.keys(metadata).length > 0) root.set('__metadata__', metadata)
  let offset = 0
  for (const { name, dtype, shape } of tensors) {
    const size = byteSize(dtype, shape)
    if (name === '__metadata__' || /\p{Surrogate}/u.test(name) || root.has(name)) {
      throw new KogrpoError(
        'E_SAFETENSORS',
        phrase('tensor name {name} is not usable', { name: JSON.stringify(name) }),
      )
    }
    if (Number.isNaN(size) || shape.some(dim => !Number.isSafeInteger(dim) || dim < 0)) {
      throw new KogrpoError(
        'E_SAFETENSORS',
        phrase('tensor "{name}" has no whole size in bytes', { name }),
      )
    }
    if (size > 0 && offset % Math.max(1, DTYPE_BITS[dtype] / 8) !== 0) {
      throw new KogrpoError(
        'E_SAFETENSORS',
        phrase('tensor "{name}" ({dtype}) would be misaligned; order wider dtypes first', {
          name,
          dtype,
        }),
      )
    }
    root.set(name, { dtype, shape: [...shape], data_offsets: [offset, offset + size] })
    offset += size
  }
  // Built entry by entry: names such as "__proto__" and "0" must keep their text and their order.
  const entries = [...root].map(
    ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  )
  const json = Buffer.from(`{${entries.join(',')}}`, 'utf8')
  const padded = Math.ceil(json.length / 8) * 8
  if (padded > MAX_HEADER_BYTES) {
    throw new KogrpoError(
      'E_SAFETENSORS',
      phrase('header of {length} bytes exceeds {most}', { length: padded, most: MAX_HEADER_BYTES }),
    )
  }
  const out = Buffer.alloc(8 + padded, 0x20)
  out.writeBigUInt64LE(BigInt(padded), 0)
  json.copy(out, 8)
  return out
}
