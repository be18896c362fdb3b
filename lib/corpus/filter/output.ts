/**
 * The files of a filter run. Lines that are kept go, byte for byte, to `<output>.<id>.partial`, which
 * gets its name at the end; lines that are dropped, if wanted, to a second file, each with its rule. A
 * saved state (how far the input is read, how long the files were then, the counts, the index of
 * duplicates) lets the same command go on after a stop as if there had been none. `id` stands for
 * everything the result depends on, so that another command never goes on from it. States outlive the
 * process, not the machine: nothing waits for the disk.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { KogrpoError } from '../../errors.ts'
import { failure, joined } from '../../messages/phrase.ts'
import type { BloomFilter } from './bloom.ts'
import type { FilterReport } from './report.ts'

/** Where a run stands. */
export interface Position {
  /** Index of the input file, bytes of it that are done, lines of it that are. */
  file: number
  offset: number
  line: number
}

interface SavedState extends Position {
  report: FilterReport
  keptBytes: number
  droppedBytes: number
  keys: number
  index: string
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(descriptor, bytes, written)
  }
}

/** A file that grows and can be cut back to an earlier length. */
class GrowingFile {
  readonly path: string
  readonly #descriptor: number
  #closed = false
  bytes = 0

  /** Throws `Error` for a file that has fewer than `bytes`: its end would be zeros. */
  constructor(path: string, bytes: number) {
    this.path = path
    this.#descriptor = openSync(path, bytes > 0 ? 'r+' : 'w')
    if (fstatSync(this.#descriptor).size < bytes) {
      this.close()
      throw new Error(`${path} is cut off`)
    }
    ftruncateSync(this.#descriptor, bytes)
    this.bytes = bytes
  }

  append(bytes: Uint8Array): void {
    for (let written = 0; written < bytes.length; ) {
      const n = writeSync(this.#descriptor, bytes, written, bytes.length - written, this.bytes)
      written += n
      this.bytes += n
    }
  }

  /** May be called again. */
  close(): void {
    if (!this.#closed) closeSync(this.#descriptor)
    this.#closed = true
  }
}

export interface FilterFilesOptions {
  output: string
  /** File of dropped lines; absent: they are only counted. */
  dropped?: string | undefined
  /** Stands for the command: its inputs and options. */
  id: string
}

export class FilterFiles {
  readonly #options: FilterFilesOptions
  readonly #stateFile: string
  readonly #kept: GrowingFile
  readonly #dropped: GrowingFile | null
  #index: string | null = null
  #saves = 0
  /** Where an earlier run stopped; null: this one starts. */
  readonly resumed: { position: Position; report: FilterReport } | null

  /** Opens the files; fills `index` where an earlier run left one. Errors: `E_OUTPUT`. */
  constructor(options: FilterFilesOptions, index: BloomFilter) {
    this.#options = options
    const { output, dropped, id } = options
    this.#stateFile = `${output}.${id}.state.json`
    try {
      for (const path of [output, dropped]) {
        if (path !== undefined) mkdirSync(dirname(resolve(path)), { recursive: true })
      }
      let state: SavedState | null = null
      if (existsSync(this.#stateFile)) {
        state = JSON.parse(readFileSync(this.#stateFile, 'utf8')) as SavedState
        const words = readFileSync(state.index)
        if (words.length !== index.words.byteLength) throw new Error(`${state.index} is cut off`)
        index.words.set(new Uint32Array(words.buffer, words.byteOffset, words.length / 4))
        index.added = state.keys
        this.#index = state.index
        this.#saves = Number(/\d+$/.exec(state.index)![0])
      }
      this.#kept = new GrowingFile(`${output}.${id}.partial`, state?.keptBytes ?? 0)
      this.#dropped =
        dropped === undefined
          ? null
          : new GrowingFile(`${dropped}.${id}.partial`, state?.droppedBytes ?? 0)
      this.resumed = state && {
        position: { file: state.file, offset: state.offset, line: state.line },
        report: state.report,
      }
    } catch (cause) {
      throw this.#error(cause)
    }
  }

  keep(lines: Uint8Array): void {
    this.#write(this.#kept, lines)
  }

  /** Writes a dropped line (without its newline) with its rule and place. */
  drop(line: Buffer, rule: string, place: string): void {
    if (this.#dropped === null) return
    const head = `{"rule":${JSON.stringify(rule)},"source":${JSON.stringify(place)},"record":`
    this.#write(this.#dropped, Buffer.concat([Buffer.from(head), line, Buffer.from('}\n')]))
  }

  /** Makes sure that a run which is stopped from now on goes on here. */
  save(position: Position, report: FilterReport, index: BloomFilter): void {
    try {
      const name = `${this.#options.output}.${this.#options.id}.index${++this.#saves}`
      const descriptor = openSync(name, 'w')
      const { buffer, byteOffset, byteLength } = index.words
      writeAll(descriptor, new Uint8Array(buffer, byteOffset, byteLength))
      closeSync(descriptor)
      const state: SavedState = {
        ...{ ...position, report, keys: index.added, index: name },
        ...{ keptBytes: this.#kept.bytes, droppedBytes: this.#dropped?.bytes ?? 0 },
      }
      writeFileSync(`${this.#stateFile}.new`, JSON.stringify(state))
      renameSync(`${this.#stateFile}.new`, this.#stateFile)
      if (this.#index !== null) rmSync(this.#index, { force: true })
      this.#index = name
    } catch (cause) {
      throw this.#error(cause)
    }
  }

  /** Everything is there: the files get their names. */
  finish(): void {
    try {
      for (const file of [this.#kept, this.#dropped]) {
        file?.close()
      }
      renameSync(this.#kept.path, this.#options.output)
      if (this.#dropped) renameSync(this.#dropped.path, this.#options.dropped!)
      rmSync(this.#stateFile, { force: true })
      if (this.#index !== null) rmSync(this.#index, { force: true })
    } catch (cause) {
      throw this.#error(cause)
    }
  }

  /** Ends early; what was saved stays for the next run, the rest goes. */
  abandon(): void {
    for (const file of [this.#kept, this.#dropped]) {
      file?.close()
      if (file && this.#index === null) rmSync(file.path, { force: true })
    }
  }

  #write(file: GrowingFile, bytes: Uint8Array): void {
    try {
      file.append(bytes)
    } catch (cause) {
      throw this.#error(cause)
    }
  }

  #error(cause: unknown): KogrpoError {
    const problem = joined([`--output ${this.#options.output}`, failure(cause)], ': ')
    return new KogrpoError('E_OUTPUT', problem, { cause })
  }
}
