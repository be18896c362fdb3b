/**
 * What `generate` and `score` have in common: records in, rows out in the same order, in batches, with
 * progress, and taken up again after a stop. A file is checked to its last line before the first row
 * is computed. The engine's results do not depend on the batches.
 */
import type { Options } from 'yargs'
import type { SourceRecord } from '../data/readers.ts'
import { KogrpoError } from '../errors.ts'
import { type Phrase, phrase } from '../messages/phrase.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './errors.ts'
import { runInterruptibly } from './interrupt.ts'
import { nonEmpty } from './options.ts'
import { requireOther } from './output-place.ts'
import { inBatches, openRecordInput, type RecordInput } from './record-input.ts'
import { openRecordOutput, type RecordOutput } from './record-output.ts'
import { WorkProgress } from './work-progress.ts'

/** Options that name the records. */
export const recordOptions = {
  input: {
    type: 'string',
    requiresArg: true,
    describe: 'A .jsonl, .jsonl.gz or .parquet file, or - for stdin [required]',
    coerce: nonEmpty('input'),
  },
  output: {
    type: 'string',
    requiresArg: true,
    describe: 'File to write, or - for stdout [required]',
    coerce: nonEmpty('output'),
  },
} as const satisfies Record<string, Options>

/**
 * Throws a `UsageError` if an option is missing. yargs would complain of that before it came to a
 * mistyped one, which is the better explanation.
 */
export function requireOptions(command: string, argv: object, names: readonly string[]): void {
  const missing = names.filter(name => (argv as Record<string, unknown>)[name] === undefined)
  if (missing.length === 0) return
  const options = missing.map(name => `--${name}`).join(', ')
  throw new UsageError(
    phrase('required: {options}\nSee: kogrpo {command} --help', { options, command }),
  )
}

interface BatchControl {
  signal: AbortSignal
  /** Tokens done so far in this batch. */
  onProgress(tokens: number): void
}

/** The work on records, once its model is loaded. */
export interface RecordWork<T> {
  /** Checks one record; `index` counts records from 0. Errors name file and line. */
  prepare(source: SourceRecord, index: number): T
  cost(item: T): number
  /** The most that the items of one batch may cost together. */
  budget: number
  /** `rowsPerRecord` rows for every item, in order, and how many tokens that took. */
  run(items: T[], control: BatchControl): Promise<{ rows: object[]; tokens: number }>
  close(): Promise<void>
}

interface RecordJobOptions<T> {
  context: CliContext
  /** What is done, for the progress line, e.g. "generate". */
  name: string
  /** A file, `-`, or what opens the records; it is called twice, to check and to compute. */
  input: string | (() => Promise<RecordInput>)
  output: string
  rowsPerRecord: number
  /** Columns that rows have of their own: those of the input by these names are replaced. */
  columns: readonly string[]
  /** What rows depend on besides the input. */
  fingerprint: unknown
  /** Loads the model. */
  start(): Promise<RecordWork<T>>
}

function openInput<T>({ input, context }: RecordJobOptions<T>): Promise<RecordInput> {
  return typeof input === 'string' ? openRecordInput(input, context) : input()
}

/** Copies a record's columns and lays the job's own over them. */
export function withColumns(source: SourceRecord, own: Record<string, unknown>): object {
  return { ...source.record, ...own }
}

/** Where a job stands. */
interface Tally {
  /** Records of an earlier, stopped run. */
  before: number
  /** Records of this run, and its tokens. */
  records: number
  tokens: number
  /** Tokens of the batch in hand. */
  inBatch: number
  /** Records of the input, once they are counted. */
  total: number | null
  /** Columns of the input that rows replace. */
  replaced: Set<string>
}

class RecordJob<T> {
  readonly #options: RecordJobOptions<T>
  readonly #input: RecordInput
  readonly #output: RecordOutput
  readonly #tally: Tally
  readonly #progress: WorkProgress
  #work: RecordWork<T> | null = null
  #finished = false
  /** When the first batch began, in milliseconds: loading the model is not counted as speed. */
  #computingSince = performance.now()

  constructor(options: RecordJobOptions<T>, input: RecordInput, output: RecordOutput) {
    this.#options = options
    this.#input = input
    this.#output = output
    const before = output.rowsBefore / options.rowsPerRecord
    this.#tally = { before, records: 0, tokens: 0, inBatch: 0, total: null, replaced: new Set() }
    this.#progress = new WorkProgress(options.context, () => this.#words())
  }

  async run(): Promise<void> {
    const { context, name } = this.#options
    const { before } = this.#tally
    const progress = this.#progress
    let ended: { keep: boolean } | null = { keep: true }
    try {
      if (this.#output.doubt) {
        progress.note(phrase('warning: {message}', { message: this.#output.doubt }))
      }
      if (before > 0) {
        progress.note(
          phrase('{name}: going on behind {before} records of a stopped run', { name, before }),
        )
      }
      await runInterruptibly(
        context,
        {
          onInterrupt: () => progress.note(phrase('stopping; press Ctrl-C again to quit at once')),
          message: () => this.#howToGoOn(),
        },
        async signal => {
          this.#work = await this.#options.start()
          if (this.#input.identity !== null) await this.#check(this.#work, signal)
          await this.#compute(this.#work, signal)
          ended = null
          await this.#output.finish()
          this.#finished = true
        },
      )
      progress.note(this.#outcome())
    } catch (error) {
      // Rows of a faulty input are of no use: when it is mended it is another.
      if (ended !== null) ended.keep = !(error instanceof KogrpoError && error.code === 'E_DATA')
      throw error
    } finally {
      progress.close()
      if (ended !== null) await this.#output.abandon(ended.keep && this.#input.identity !== null)
      await this.#work?.close()
    }
  }

  /** Prepares every record for its errors, so that a bad last line costs no hours. */
  async #check(work: RecordWork<T>, signal: AbortSignal): Promise<void> {
    const { records } = await openInput(this.#options)
    let index = 0
    for await (const source of records) {
      signal.throwIfAborted()
      work.prepare(source, index++)
    }
    this.#tally.total = index
  }

  async #compute(work: RecordWork<T>, signal: AbortSignal): Promise<void> {
    const tally = this.#tally
    const onProgress = (tokens: number): void => {
      tally.inBatch = tokens
    }
    const items = this.#items(work)
    this.#computingSince = performance.now()
    for await (const batch of inBatches(items, item => work.cost(item), work.budget)) {
      signal.throwIfAborted()
      const { rows, tokens } = await work.run(batch, { signal, onProgress })
      await this.#output.write(rows)
      tally.records += batch.length
      tally.tokens += tokens
      tally.inBatch = 0
    }
  }

  /** The records that no earlier run has done. */
  async *#items(work: RecordWork<T>): AsyncGenerator<T> {
    let index = 0
    for await (const source of this.#input.records) {
      if (index >= this.#tally.before) {
        for (const column of this.#options.columns) {
          if (Object.hasOwn(source.record, column)) this.#tally.replaced.add(column)
        }
        yield work.prepare(source, index)
      }
      index++
    }
  }

  #speed(tokens: number): string {
    const seconds = (performance.now() - this.#computingSince) / 1000
    return `${(tokens / Math.max(seconds, 1e-3)).toFixed(0)} tok/s`
  }

  #words(): Phrase {
    const { name } = this.#options
    if (this.#work === null) return phrase('{name}: loading the model', { name })
    const { before, records, inBatch, total } = this.#tally
    const tokens = this.#tally.tokens + inBatch
    const stand = { name, done: before + records, tokens, speed: this.#speed(tokens) }
    return total === null
      ? phrase('{name}: {done} records · {tokens} tokens · {speed}', stand)
      : phrase('{name}: {done} of {total} records · {tokens} tokens · {speed}', { ...stand, total })
  }

  #outcome(): Phrase {
    const { name, output } = this.#options
    const { before, records, tokens, replaced } = this.#tally
    return phrase('{name}: {done} records, {tokens} tokens ({speed}){where}{columns}', {
      ...{ name, done: before + records, tokens, speed: this.#speed(tokens) },
      where: output === '-' ? '' : phrase(', written to {path}', { path: output }),
      columns:
        replaced.size === 0
          ? ''
          : phrase('; replaced columns of the input: {columns}', {
              columns: [...replaced].join(', '),
            }),
    })
  }

  #howToGoOn(): Phrase {
    const count = this.#tally.before + this.#tally.records
    const { partial } = this.#output
    if (this.#finished) return this.#outcome()
    if (count === 0) return phrase('stopped before the first records were done')
    if (partial === null || this.#input.identity === null) {
      return phrase('stopped after {count} records', { count })
    }
    return phrase(
      'stopped after {count} records, kept in {partial}; the same command goes on from there',
      { count, partial },
    )
  }
}

/** Runs the job to its end. Throws `Interrupted` when a signal stopped it, saying how to go on. */
export async function runRecordJob<T>(options: RecordJobOptions<T>): Promise<void> {
  const { context, name, input, output, rowsPerRecord } = options
  if (typeof input === 'string') requireOther('output', output, [input])
  const source = await openInput(options)
  const { identity } = source
  const sink = await openRecordOutput({
    path: output,
    stdout: context.stdout,
    fingerprint: identity && { name, identity, rowsPerRecord, options: options.fingerprint },
    rowsPerRecord,
  })
  await new RecordJob(options, source, sink).run()
}
