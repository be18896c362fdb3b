/**
 * Verdicts on disk: an append-only file of lines {"key":"<sha-256>","verdict":0|1,"check":"<8 hex>"}.
 * `check` begins the SHA-256 of key and verdict, so that a flipped bit is a line that does not count
 * and never another verdict; lines of earlier versions have none and are taken as they are. What a judge
 * said of an answer is kept in the same way, as "critique" in JSON's ASCII. Never failures. A line goes
 * to the operating system in one append, so several runs may share a file and a killed one loses at most
 * the line it was writing; a line that is not exactly of this form (torn, or glued to a torn one) is as if
 * it were not there. What another process appends is read as soon as a key is missed.
 */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { KogrpoError } from '../../errors.ts'
import { failure, phrase } from '../../messages/phrase.ts'
import type { CachePosition } from './types.ts'

const LINE = /^\{"key":"([0-9a-f]{64})","verdict":([01])(?:,"check":"([0-9a-f]{8})")?\}$/
const WORDS = /^\{"key":"([0-9a-f]{64})","critique":("(?:[^"\\]|\\.)*"),"check":"([0-9a-f]{8})"\}$/
const NEWLINE = 0x0a
const CHUNK = 1 << 20

const checkOf = (key: string, verdict: number | string): string =>
  createHash('sha256').update(`${key} ${verdict}`).digest('hex').slice(0, 8)

export class VerdictStore {
  readonly path: string
  readonly #verdicts = new Map<string, 0 | 1>()
  readonly #critiques = new Map<string, string>()
  #descriptor: number | null
  /** Bytes read; always behind a newline. */
  #read = 0
  /** Of these bytes. */
  readonly #hash = createHash('sha256')

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
    const line = `{"key":"${key}","verdict":${verdict},"check":"${checkOf(key, verdict)}"}`
    if (!LINE.test(line))
      throw new KogrpoError('E_JUDGE', phrase('not a line of the cache: {line}', { line }))
    this.#verdicts.set(key, verdict)
    this.#append(`${line}\n`)
  }

  critique(key: string): string | undefined {
    const known = this.#critiques.get(key)
    if (known !== undefined) return known
    this.#catchUp()
    return this.#critiques.get(key)
  }

  /** Throws `E_JUDGE` when the disk refuses. */
  setCritique(key: string, text: string): void {
    const ascii = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
    const json = JSON.stringify(text).replace(/[^\x20-\x7e]/g, ascii)
    const line = `{"key":"${key}","critique":${json},"check":"${checkOf(key, json)}"}`
    if (!WORDS.test(line))
      throw new KogrpoError('E_JUDGE', phrase('not a line of the cache: {line}', { line }))
    this.#critiques.set(key, text)
    this.#append(`${line}\n`)
  }

  /** How far the file reaches now. What is appended later does not change what lies before. */
  position(): CachePosition {
    this.#catchUp()
    const sha256 = this.#hash.copy().digest('hex')
    return { file: this.path, bytes: this.#read, sha256 }
  }

  /** What is wrong with the file up to an earlier position, in words; null: it is as it was. */
  check({ bytes, sha256 }: CachePosition): string | null {
    const descriptor = this.#open()
    const { size } = fstatSync(descriptor)
    if (size < bytes) {
      return `${this.path} has ${size} bytes, fewer than the ${bytes} of then: verdicts are missing and would be asked for again`
    }
    const hash = createHash('sha256')
    const chunk = Buffer.alloc(CHUNK)
    for (let at = 0; at < bytes; ) {
      const got = readSync(descriptor, chunk, 0, Math.min(CHUNK, bytes - at), at)
      hash.update(chunk.subarray(0, got))
      at += got
    }
    if (hash.digest('hex') === sha256) return null
    return `${this.path} has other verdicts among its first ${bytes} bytes (another file, or a damaged one)`
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
        if (!match) {
          const said = WORDS.exec(line)
          if (said?.[3] === checkOf(said?.[1] ?? '', said?.[2] ?? '')) {
            this.#critiques.set(said![1]!, JSON.parse(said![2]!) as string)
          }
          continue
        }
        const [, key, verdict, check] = match
        if (check !== undefined && check !== checkOf(key!, verdict!)) continue
        this.#verdicts.set(key!, verdict === '1' ? 1 : 0)
      }
      this.#hash.update(bytes.subarray(0, end))
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
