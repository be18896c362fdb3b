/**
 * Verdicts on disk: an append-only file of lines {"key":"<sha-256>","verdict":0|1}. Verdicts only,
 * never failures. A line goes to the operating system in one append, so several runs may share a file
 * and a killed one loses at most the line it was writing; a line that is not exactly of this form
 * (torn, or glued to a torn one) is as if it were not there. What another process appends is read as
 * soon as a key is missed.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { KogrpoError } from '../../errors.ts'
import { failure, phrase } from '../../messages/phrase.ts'

const LINE = /^\{"key":"([0-9a-f]{64})","verdict":([01])\}$/
const NEWLINE = 0x0a
const CHUNK = 1 << 20

export class VerdictStore {
  readonly path: string
  readonly #verdicts = new Map<string, 0 | 1>()
  #descriptor: number | null
  /** Bytes read; always behind a newline. */
  #read = 0

  /** Opens the file, or makes it and its directory. Throws `E_JUDGE` naming the file. */
  constructor(path: string) {
    this.path = path
    try {
      mkdirSync(dirname(path), { recursive: true })
      this.#descriptor = openSync(path, 'a+')
    } catch (cause) {
      throw new KogrpoError(
        'E_JUDGE',
        phrase("cannot open the judge's cache: {reason}", { reason: failure(cause) }),
        {
          cause,
        },
      )
    }
    this.#catchUp()
    // A torn last line must not swallow the next.
    if (this.#read < fstatSync(this.#descriptor).size) this.#append('\n')
  }

  get size(): number {
    return this.#verdicts.size
  }

  get(key: string): 0 | 1 | undefined {
    const known = this.#verdicts.get(key)
    if (known !== undefined) return known
    this.#catchUp()
    return this.#verdicts.get(key)
  }

  /** Throws `E_JUDGE` when the disk refuses. */
  set(key: string, verdict: 0 | 1): void {
    const line = `{"key":"${key}","verdict":${verdict}}`
    if (!LINE.test(line))
      throw new KogrpoError('E_JUDGE', phrase('not a line of the cache: {line}', { line }))
    this.#verdicts.set(key, verdict)
    this.#append(`${line}\n`)
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
  }

  #append(text: string): void {
    const bytes = Buffer.from(text)
    try {
      if (writeSync(this.#open(), bytes) !== bytes.length) throw new Error('the disk is full')
    } catch (cause) {
      throw new KogrpoError(
        'E_JUDGE',
        phrase('cannot write {path}: {reason}', { path: this.path, reason: failure(cause) }),
        { cause },
      )
    }
  }

  /** Reads the whole lines that have come since the last time. */
  #catchUp(): void {
    const descriptor = this.#open()
    let rest = Buffer.alloc(0)
    for (let size = fstatSync(descriptor).size; this.#read + rest.length < size; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK, size - this.#read - rest.length))
      const got = readSync(descriptor, chunk, 0, chunk.length, this.#read + rest.length)
      if (got === 0) return
      const bytes = Buffer.concat([rest, chunk.subarray(0, got)])
      const end = bytes.lastIndexOf(NEWLINE) + 1
      for (const line of bytes.toString('latin1', 0, end).split('\n')) {
        const match = LINE.exec(line)
        if (match) this.#verdicts.set(match[1]!, match[2] === '1' ? 1 : 0)
      }
      this.#read += end
      rest = bytes.subarray(end)
    }
  }

  #open(): number {
    if (this.#descriptor === null)
      throw new KogrpoError('E_JUDGE', phrase('{path} is closed', { path: this.path }))
    return this.#descriptor
  }
}
