/**
 * Where a command's rows go. A file appears under its name only when it is complete: rows are appended
 * to `<name>.<fingerprint>.partial` as they come, which is renamed at the end. The fingerprint stands
 * for everything the rows depend on, so that the same command, given again after a stop, finds its own
 * partial file and goes on behind its last whole record; another command never does. stdout, pipes and
 * devices get the rows directly.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  statSync,
  type WriteStream,
} from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, stat, truncate } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { type Claim, claim } from '../durable/claim.ts'
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'
import type { Output } from '../report/progress.ts'

/** Takes rows until it is finished or given up. */
export interface RecordOutput {
  /** Rows of an earlier, stopped run of the same command that are kept. */
  readonly rowsBefore: number
  /** Where unfinished rows wait for the same command to go on; null where they cannot. */
  readonly partial: string | null
  /** Whether another machine may be writing there too. */
  readonly doubt: Phrase | null
  /** Writes rows as JSON lines; done when the operating system has them. */
  write(rows: readonly object[]): Promise<void>
  /** All rows are there: the file gets its name. */
  finish(): Promise<void>
  /** Ends early. The rows written stay for the next run, unless `keep` is false. */
  abandon(keep: boolean): Promise<void>
}

interface RecordOutputOptions {
  /** A file, or `-` for `stdout`. */
  path: string
  stdout: Output
  /** Everything that rows depend on, as JSON has it; null: a run that cannot be taken up again. */
  fingerprint: unknown
  /** Rows of one record, which are kept or dropped together. */
  rowsPerRecord: number
}

function outputError(path: string, problem: Phrase, cause?: unknown): KogrpoError {
  return new KogrpoError('E_OUTPUT', joined([`--output ${path}`, problem], ': '), {
    cause,
  })
}

/** Why a stream takes no more: its reader has closed it, or what the system says (a full disk). */
function whyEnded(cause: unknown): Phrase {
  const code = cause instanceof Error && 'code' in cause ? cause.code : 'EPIPE'
  return code === 'EPIPE' ? phrase('the reader has gone') : failure(cause)
}

function toLines(rows: readonly object[]): string {
  return rows.map(row => `${JSON.stringify(row)}\n`).join('')
}

/** Rows straight into a stream that is not ours to finish. */
class StreamOutput implements RecordOutput {
  readonly rowsBefore = 0
  readonly partial = null
  readonly doubt = null
  readonly #stream: Output & Partial<Pick<Writable, 'errored' | 'destroyed' | 'once'>>
  protected readonly path: string

  constructor(stream: Output, path: string) {
    this.#stream = stream
    this.path = path
  }

  async write(rows: readonly object[]): Promise<void> {
    const stream = this.#stream
    if (stream.errored || stream.destroyed) {
      throw outputError(this.path, whyEnded(stream.errored), stream.errored)
    }
    // Only a real stream says whether its buffer is full, and when it is empty again.
    if (stream.write(toLines(rows)) === false && stream.once !== undefined) {
      await once(stream as unknown as Writable, 'drain').catch(cause => {
        throw outputError(this.path, whyEnded(cause), cause)
      })
    }
  }

  async finish(): Promise<void> {}
  async abandon(): Promise<void> {}
}

/** Rows into a pipe or device that a path names. */
class DeviceOutput extends StreamOutput {
  readonly #file: WriteStream

  constructor(path: string) {
    const file = createWriteStream(path)
    super(file, path)
    this.#file = file
    // Reported by the next write, which finds the stream destroyed.
    file.on('error', () => {})
  }

  override async finish(): Promise<void> {
    this.#file.end()
    await finished(this.#file).catch(cause => {
      throw outputError(this.path, whyEnded(this.#file.errored ?? cause), cause)
    })
  }

  override async abandon(): Promise<void> {
    this.#file.destroy()
  }
}

/** Rows into a file beside the final one. */
class FileOutput implements RecordOutput {
  readonly rowsBefore: number
  readonly partial: string
  readonly doubt: Phrase | null
  readonly #path: string
  readonly #handle: FileHandle
  readonly #claim: Claim
  /** Whether the same command goes on behind the rows that are kept. */
  readonly #resumable: boolean

  constructor(
    { path, fingerprint }: RecordOutputOptions,
    partial: string,
    handle: FileHandle,
    rowsBefore: number,
    claim: Claim,
  ) {
    this.#path = path
    this.partial = partial
    this.#handle = handle
    this.rowsBefore = rowsBefore
    this.#claim = claim
    this.#resumable = fingerprint !== null
    this.doubt = claim.doubt
  }

  async write(rows: readonly object[]): Promise<void> {
    try {
      await this.#handle.appendFile(toLines(rows))
    } catch (cause) {
      throw this.#error(cause)
    }
  }

  #error(cause: unknown): KogrpoError {
    const reason = failure(cause)
    const problem = this.#resumable
      ? phrase(
          'cannot be written: {reason}; what is done is kept in {partial}, and the same command goes on from there',
          { reason, partial: this.partial },
        )
      : phrase('cannot be written: {reason}', { reason })
    return outputError(this.#path, problem, cause)
  }

  async finish(): Promise<void> {
    try {
      await this.#handle.sync()
      await this.#handle.close()
      await rename(this.partial, this.#path)
    } catch (cause) {
      throw this.#error(cause)
    } finally {
      this.#claim.release()
    }
  }

  async abandon(keep: boolean): Promise<void> {
    await this.#handle.close()
    const empty = (await stat(this.partial)).size === 0
    if (empty || !keep) await rm(this.partial)
    this.#claim.release()
  }
}

/** Rows of whole records in a partial file, and the byte behind the last of them. */
async function wholeRows(
  partial: string,
  rowsPerRecord: number,
): Promise<{ rows: number; bytes: number }> {
  let [rows, seen, at] = [0, 0, 0]
  let bytes = 0
  for await (const chunk of createReadStream(partial) as AsyncIterable<Buffer>) {
    for (let i = chunk.indexOf(0x0a); i >= 0; i = chunk.indexOf(0x0a, i + 1)) {
      if (++seen % rowsPerRecord !== 0) continue
      rows = seen
      bytes = at + i + 1
    }
    at += chunk.length
  }
  return { rows, bytes }
}

/** Whether rows must go directly to what `path` names, because renaming would replace a device. */
function isDevice(path: string): boolean {
  return existsSync(path) && !statSync(path).isFile() && !statSync(path).isDirectory()
}

/** Opens an output. Throws `KogrpoError` `E_OUTPUT` naming the path. */
export async function openRecordOutput(options: RecordOutputOptions): Promise<RecordOutput> {
  const { path, stdout, fingerprint, rowsPerRecord } = options
  if (path === '-') return new StreamOutput(stdout, path)
  if (isDevice(path)) return new DeviceOutput(path)
  if (existsSync(path) && statSync(path).isDirectory()) {
    throw outputError(path, phrase('is a directory; name a file in it'))
  }
  const digest = createHash('sha256').update(JSON.stringify(fingerprint)).digest('hex').slice(0, 8)
  const partial = fingerprint === null ? `${path}.partial` : `${path}.${digest}.partial`
  let held: Claim | undefined
  try {
    await mkdir(dirname(resolve(path)), { recursive: true })
    held = claim(path, `${partial}.in-use`)
    let rowsBefore = 0
    if (fingerprint !== null && existsSync(partial)) {
      const { rows, bytes } = await wholeRows(partial, rowsPerRecord)
      await truncate(partial, bytes)
      rowsBefore = rows
    }
    const handle = await open(partial, fingerprint === null ? 'w' : 'a')
    return new FileOutput(options, partial, handle, rowsBefore, held)
  } catch (cause) {
    held?.release()
    if (cause instanceof KogrpoError && cause.code === 'E_IN_USE') throw cause
    const reason = cause instanceof KogrpoError ? cause.cause : cause
    throw outputError(
      path,
      phrase('cannot be written: {reason}', { reason: failure(reason) }),
      cause,
    )
  }
}
