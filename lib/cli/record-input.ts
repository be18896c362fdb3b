/**
 * The records that a command reads: a .jsonl, .jsonl.gz or .parquet file, `-` for stdin, or any pipe
 * (`/dev/stdin`, `<(…)`), always as a stream, and in batches of bounded cost.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseJsonl, readRecords, type SourceRecord } from '../data/readers.ts'
import { KogrpoError } from '../errors.ts'
import { failure, phrase } from '../messages/phrase.ts'
import type { CliContext } from './context.ts'

/** An input that exists. */
export interface RecordInput {
  records: AsyncIterable<SourceRecord>
  /** What tells a changed file from the same one; null for a stream, which nobody can read twice. */
  identity: { path: string; bytes: number; modified: number } | null
}

/** Opens `path`. Throws `KogrpoError` `E_DATA` naming it if it cannot be read. */
export async function openRecordInput(path: string, context: CliContext): Promise<RecordInput> {
  if (path === '-') {
    const stdin = context.stdin ?? process.stdin
    return { records: parseJsonl(stdin, '<stdin>'), identity: null }
  }
  const info = await stat(path).catch(cause => {
    throw new KogrpoError(
      'E_DATA',
      phrase('--input {path}: cannot be read: {reason}', { path, reason: failure(cause) }),
      {
        cause,
      },
    )
  })
  if (info.isFIFO() || info.isCharacterDevice()) {
    return { records: parseJsonl(createReadStream(path), path), identity: null }
  }
  const identity = { path: resolve(path), bytes: info.size, modified: info.mtimeMs }
  return { records: readRecords(path), identity }
}

/**
 * Groups items so that the costs of a group add up to at most `budget`; an item that costs more than
 * that is a group of its own.
 */
export async function* inBatches<T>(
  items: AsyncIterable<T>,
  cost: (item: T) => number,
  budget: number,
): AsyncGenerator<T[]> {
  let batch: T[] = []
  let spent = 0
  for await (const item of items) {
    const price = cost(item)
    if (batch.length > 0 && spent + price > budget) {
      yield batch
      batch = []
      spent = 0
    }
    batch.push(item)
    spent += price
  }
  if (batch.length > 0) yield batch
}
