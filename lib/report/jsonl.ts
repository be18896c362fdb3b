/**
 * Appends JSON objects to a file, one a line. Each line goes to the operating system in one write
 * before `append` returns, so that a killed run loses nothing that was reported. Numbers that JSON
 * cannot hold (NaN, infinities) become null, as JSON.stringify has it.
 */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { KogrpoError } from '../errors.ts'
import { whyUnwritable } from '../file-errors.ts'
import { phrase } from '../messages/phrase.ts'

export class JsonLinesWriter {
  readonly #path: string
  #descriptor: number | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** Writes one line. The file is made at the first. Errors: `E_REPORT`, naming the file. */
  append(row: object): void {
    const line = Buffer.from(`${JSON.stringify(row)}\n`)
    try {
      this.#descriptor ??= openSync(this.#path, 'a')
      for (let written = 0; written < line.length; ) {
        written += writeSync(this.#descriptor, line, written)
      }
    } catch (cause) {
      throw new KogrpoError(
        'E_REPORT',
        phrase('cannot write {path}: {reason}', { path: this.#path, reason: whyUnwritable(cause) }),
        {
          cause,
        },
      )
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}

/** Writes a whole file of JSON objects: under another name first, so that a stopped one is never it. */
export function writeWhole(path: string, rows: readonly object[]): void {
  const partial = `${path}.partial`
  const writer = new JsonLinesWriter(partial)
  try {
    mkdirSync(dirname(path), { recursive: true })
    rmSync(partial, { force: true })
    for (const row of rows) writer.append(row)
    writer.close()
    renameSync(partial, path)
  } catch (cause) {
    writer.close()
    if (cause instanceof KogrpoError) throw cause
    throw new KogrpoError(
      'E_REPORT',
      phrase('cannot write {path}: {reason}', { path, reason: whyUnwritable(cause) }),
      { cause },
    )
  }
}
