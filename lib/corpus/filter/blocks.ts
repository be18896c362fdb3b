/**
 * A file as blocks of whole lines of JSONL, from a byte offset on: `.jsonl` as it is, `.jsonl.gz`
 * unpacked (an offset then skips what is unpacked before it), `.parquet` with a line written per row.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { readRecords } from '../../data/readers.ts'
import { KogrpoError } from '../../errors.ts'
import { failure, phrase } from '../../messages/phrase.ts'

const BLOCK_BYTES = 1 << 20
const LONGEST_LINE = 64 * 1024 * 1024
const NEWLINE = 0x0a

async function* fileBytes(file: string, offset: number): AsyncGenerator<Buffer> {
  try {
    if (!file.endsWith('.gz')) {
      yield* createReadStream(file, { start: offset, highWaterMark: BLOCK_BYTES })
      return
    }
    const unpacked = createGunzip({ chunkSize: 1 << 18 })
    pipeline(createReadStream(file), unpacked, () => {})
    let skip = offset
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      const from = Math.min(skip, chunk.length)
      skip -= from
      if (from < chunk.length) yield chunk.subarray(from)
    }
  } catch (cause) {
    throw new KogrpoError(
      'E_DATA',
      phrase('{file}: cannot be read: {reason}', { file, reason: failure(cause) }),
      { cause },
    )
  }
}

async function* parquetLines(file: string, offset: number): AsyncGenerator<Buffer> {
  let skip = offset
  for await (const { record } of readRecords(file)) {
    const line = Buffer.from(`${JSON.stringify(record)}\n`)
    if (skip > 0) skip -= line.length
    else yield line
  }
}

/** Blocks of about 1 MiB that end with a newline (the last: with the file); each owns its memory. */
export async function* readBlocks(file: string, offset = 0): AsyncGenerator<Buffer<ArrayBuffer>> {
  const info = await stat(file).catch(cause => {
    throw new KogrpoError(
      'E_DATA',
      phrase('{file}: cannot be read: {reason}', { file, reason: failure(cause) }),
      { cause },
    )
  })
  if (!info.isFile())
    throw new KogrpoError('E_DATA', phrase('{file}: is not a file; name the data file', { file }))
  const parquet = file.endsWith('.parquet')
  if (!parquet && !/\.jsonl(\.gz)?$/.test(file)) {
    throw new KogrpoError(
      'E_DATA',
      phrase('{file}: has an unknown extension; .jsonl, .jsonl.gz and .parquet are read', { file }),
    )
  }
  let pending: Buffer[] = []
  let held = 0
  const take = (length: number): Buffer<ArrayBuffer> => {
    const all = Buffer.concat(pending)
    pending = length < held ? [all.subarray(length)] : []
    held -= length
    // Memory of its own: it goes to another thread.
    return Buffer.from(new Uint8Array(all.subarray(0, length)).buffer)
  }
  for await (const chunk of parquet ? parquetLines(file, offset) : fileBytes(file, offset)) {
    const newline = chunk.lastIndexOf(NEWLINE)
    pending.push(chunk)
    const before = held
    held += chunk.length
    if (newline >= 0 && held >= BLOCK_BYTES) yield take(before + newline + 1)
    if (held > LONGEST_LINE) {
      throw new KogrpoError(
        'E_DATA',
        phrase('{file}: a line is longer than {most} bytes; is this JSONL?', {
          file,
          most: LONGEST_LINE,
        }),
      )
    }
  }
  if (held > 0) yield take(held)
}
