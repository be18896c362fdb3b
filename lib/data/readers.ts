/**
 * Record files as one stream: `.jsonl`, `.jsonl.gz` (streamed, never whole in memory) and `.parquet`
 * (row group by row group). Every record comes with its file and its 1-based line or row, so that a
 * later complaint can name both. A byte-order mark and CRLF are accepted, empty lines are skipped,
 * anything else that is not one JSON object per line is an error.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import {
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet'
import { KogrpoError } from '../errors.ts'
import { whyUnreadable } from '../file-errors.ts'
import { parseForeignJson } from '../foreign-json.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'

/** One object of a file. */
export interface SourceRecord {
  record: Record<string, unknown>
  file: string
  /** 1-based line of a JSONL file, row of a Parquet file. */
  line: number
}

/** Limits of reading. */
interface ReadOptions {
  /** Longest accepted line in bytes; a guard against files that are not JSONL. */
  maxLineBytes?: number
}

const MAX_LINE_BYTES = 64 * 1024 * 1024
const NEWLINE = 0x0a

function dataError(where: string, problem: Phrase, cause?: unknown): KogrpoError {
  return new KogrpoError('E_DATA', joined([where, problem], ': '), { cause })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseLine(bytes: Buffer, file: string, line: number): Record<string, unknown> | null {
  const where = `${file}:${line}`
  let text: string
  try {
    // Only the first line may carry a byte-order mark; elsewhere it is an error of the JSON.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: line > 1 }).decode(bytes)
  } catch (error) {
    throw dataError(
      where,
      phrase(
        'the line is not valid UTF-8; convert the file (of Korean Windows: iconv -f CP949 -t UTF-8)',
      ),
      error,
    )
  }
  if (text.trim() === '') return null
  let value: unknown
  try {
    value = parseForeignJson(text)
  } catch (error) {
    throw dataError(
      where,
      phrase('the line is not valid JSON: {reason}', { reason: failure(error) }),
      error,
    )
  }
  if (isRecord(value)) return value
  throw dataError(where, phrase('the line is not a JSON object; JSONL has one object per line'))
}

/** Lines without their newline; the last one needs none. */
async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  file: string,
  limit: number,
): AsyncGenerator<{ bytes: Buffer; line: number }> {
  let pending: Buffer[] = []
  let pendingBytes = 0
  let line = 1
  const grow = (part: Buffer): void => {
    pendingBytes += part.length
    if (pendingBytes > limit) {
      throw dataError(
        `${file}:${line}`,
        phrase('the line is longer than {limit} bytes; is this JSONL?', { limit }),
      )
    }
    pending.push(part)
  }
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      grow(chunk.subarray(from, at))
      const bytes = Buffer.concat(pending)
      pending = []
      pendingBytes = 0
      yield { bytes, line }
      line++
      from = at + 1
    }
    if (from < chunk.length) grow(chunk.subarray(from))
  }
  if (pendingBytes > 0) yield { bytes: Buffer.concat(pending), line }
}

/** The records of JSONL bytes; `file` is used in messages. Throws `KogrpoError` `E_DATA`. */
export async function* parseJsonl(
  chunks: AsyncIterable<Buffer>,
  file: string,
  options: ReadOptions = {},
): AsyncGenerator<SourceRecord> {
  const limit = options.maxLineBytes ?? MAX_LINE_BYTES
  for await (const { bytes, line } of splitLines(chunks, file, limit)) {
    const record = parseLine(bytes, file, line)
    if (record !== null) yield { record, file, line }
  }
}

async function* readJsonl(file: string, options: ReadOptions): AsyncGenerator<SourceRecord> {
  const raw = createReadStream(file)
  let stream: Readable = raw
  if (file.endsWith('.gz')) {
    const gunzip = createGunzip()
    // pipe() does not forward errors of its source.
    raw.on('error', error => gunzip.destroy(error))
    stream = raw.pipe(gunzip)
  }
  try {
    yield* parseJsonl(stream, file, options)
  } catch (error) {
    if (error instanceof KogrpoError) throw error
    throw dataError(
      file,
      phrase('cannot be read: {reason}', { reason: whyUnreadable(file, error) }),
      error,
    )
  } finally {
    stream.destroy()
    raw.destroy()
  }
}

/** Parquet values as JSON would have them; integers beyond 2^53 and binary are refused. */
function plain(value: unknown, where: string): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    if (Number.isSafeInteger(number)) return number
    throw dataError(
      where,
      phrase('integer {value} does not fit a double; store it as text', { value: String(value) }),
    )
  }
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) {
    throw dataError(where, phrase('a binary column cannot be used; store it as text'))
  }
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>)
  if (Array.isArray(value)) return value.map(item => plain(item, where))
  if (isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, where)]))
  }
  return value
}

/**
 * Every column chunk must be a leaf of the schema: one that is none is read by the library and waited for
 * by nobody, and its failure would end the process. Throws `Error`.
 */
function requireColumnsOfSchema(metadata: FileMetaData): void {
  const root = parquetSchema(metadata)
  for (const { columns } of metadata.row_groups) {
    const paths = columns.map(column => column.meta_data?.path_in_schema ?? [])
    for (const path of paths) {
      let node: typeof root | undefined = root
      for (const name of path) node = node?.children.find(child => child.element.name === name)
      if (node === undefined || node.children.length > 0) {
        throw new Error(`column ${JSON.stringify(path.join('.'))} is none of the schema`)
      }
    }
    const names = paths.map(path => path.join('\0'))
    if (new Set(names).size !== names.length) throw new Error('a column is there twice')
  }
}

async function* readParquet(path: string): AsyncGenerator<SourceRecord> {
  try {
    const opened = await asyncBufferFromFile(path)
    // A range that cannot be read rejects; thrown in the midst of the library's loop over columns, it
    // would leave those begun before without anybody who hears of their failure. The library fetches
    // ahead, also what it never comes to use: a failure is heard here, and again by whoever uses it.
    const file = {
      byteLength: opened.byteLength,
      slice: (start: number, end?: number): Promise<ArrayBuffer> => {
        const bytes = (async () => await opened.slice(start, end))()
        bytes.catch(() => {})
        return bytes
      },
    }
    const metadata = await parquetMetadataAsync(file)
    requireColumnsOfSchema(metadata)
    let rowStart = 0
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows)
      const rows = await parquetReadObjects({ file, metadata, rowStart, rowEnd })
      for (const [i, row] of rows.entries()) {
        const line = rowStart + i + 1
        yield { record: plain(row, `${path}:${line}`) as SourceRecord['record'], file: path, line }
      }
      rowStart = rowEnd
    }
  } catch (error) {
    if (error instanceof KogrpoError) throw error
    throw dataError(
      path,
      phrase('cannot be read as Parquet: {reason}', { reason: failure(error) }),
      error,
    )
  }
}

/**
 * The records of one file by its extension. Throws `KogrpoError` `E_DATA` naming file and line for
 * whatever is wrong with it.
 */
export async function* readRecords(
  file: string,
  options: ReadOptions = {},
): AsyncGenerator<SourceRecord> {
  const info = await stat(file).catch(error => {
    throw dataError(
      file,
      phrase('cannot be read: {reason}', { reason: whyUnreadable(file, error) }),
      error,
    )
  })
  if (!info.isFile()) throw dataError(file, phrase('is not a file; name the data file itself'))
  if (/\.jsonl(\.gz)?$/.test(file)) yield* readJsonl(file, options)
  else if (file.endsWith('.parquet')) yield* readParquet(file)
  else
    throw dataError(
      file,
      phrase('has an unknown extension; .jsonl, .jsonl.gz and .parquet are read'),
    )
}
