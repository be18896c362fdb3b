/**
 * What `generate` and `score` have in common: records in, rows out in the same order, in batches, with
 * progress, and taken up again after a stop. A file is checked to its last line before the first row
 * is computed. The engine's results do not depend on the batches.
 */
import { realpathSync } from 'node:fs'
import type { Options } from 'yargs'
import type { SourceRecord } from '../data/readers.ts'
import { KogrpoError } from '../errors.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './errors.ts'
import { runInterruptibly } from './interrupt.ts'
import { nonEmpty } from './options.ts'
import { inBatches, openRecordInput } from './record-input.ts'
import { openRecordOutput } from './record-output.ts'
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
  throw new UsageError(`required: ${options}\nSee: kogrpo ${command} --help`)
}

export interface BatchControl {
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

export interface RecordJobOptions<T> {
  context: CliContext
  /** What is done, for the progress line, e.g. "generate". */
  name: string
  input: string
  output: string
  rowsPerRecord: number
  /** What rows depend on besides the input. */
  fingerprint: unknown
  /** Loads the model. */
  start(note: (text: string) => void): Promise<RecordWork<T>>
}

/** The one file that both paths name, if so. */
function sameFile(a: string, b: string): boolean {
  try {
    return a !== '-' && b !== '-' && realpathSync(a) === realpathSync(b)
  } catch {
    return false
  }
}

async function* prepared<T>(
  records: AsyncIterable<SourceRecord>,
  skip: number,
  prepare: (source: SourceRecord, index: number) => T,
): AsyncGenerator<T> {
  let index = 0
  for await (const source of records) {
    if (index >= skip) yield prepare(source, index)
    index++
  }
}

/** Copies a record's columns and lays the job's own over them. */
export function withColumns(source: SourceRecord, own: Record<string, unknown>): object {
  return { ...source.record, ...own }
}

/** Runs the job to its end. Throws `Interrupted` when a signal stopped it, saying how to go on. */
export async function runRecordJob<T>(options: RecordJobOptions<T>): Promise<void> {
  const { context, name, input, output, rowsPerRecord, fingerprint, start } = options
  if (sameFile(input, output)) {
    throw new KogrpoError('E_OUTPUT', `--output ${output} is the input itself; name another file`)
  }
  const source = await openRecordInput(input, context)
  const sink = await openRecordOutput({
    path: output,
    stdout: context.stdout,
    fingerprint: source.identity && { name, input: source.identity, options: fingerprint },
    rowsPerRecord,
  })
  const before = sink.rowsBefore / rowsPerRecord
  let total: number | null = null
  let [records, tokens, inBatch, work] = [0, 0, 0, null as RecordWork<T> | null]
  let keep = true
  let done = false
  const progress = new WorkProgress(context.stderr, () => {
    if (work === null) return `${name}: loading the model`
    const of = total === null ? '' : ` of ${total}`
    const now = tokens + inBatch
    return `${name}: ${before + records}${of} records · ${now} tokens · ${speed(now)}`
  })
  const speed = (count: number): string => `${(count / progress.seconds).toFixed(0)} tok/s`
  try {
    if (before > 0) progress.note(`${name}: going on behind ${before} records of a stopped run`)
    await runInterruptibly(
      context,
      {
        onInterrupt: () => progress.note('stopping; press Ctrl-C again to quit at once'),
        message: () => {
          const count = before + records
          if (count === 0) return 'stopped before the first records were done'
          if (sink.partial === null || source.identity === null) {
            return `stopped after ${count} records`
          }
          return `stopped after ${count} records, kept in ${sink.partial}; the same command goes on from there`
        },
      },
      async signal => {
        work = await start(text => progress.note(text))
        const { prepare, cost, budget } = work
        if (source.identity !== null) {
          let checked = 0
          for await (const _ of prepared(
            (await openRecordInput(input, context)).records,
            0,
            prepare,
          )) {
            checked++
            if (checked % 1000 === 0) signal.throwIfAborted()
          }
          total = checked
        }
        const items = prepared(source.records, before, prepare)
        for await (const batch of inBatches(items, cost, budget)) {
          signal.throwIfAborted()
          const result = await work.run(batch, {
            signal,
            onProgress: count => {
              inBatch = count
            },
          })
          await sink.write(result.rows)
          records += batch.length
          tokens += result.tokens
          inBatch = 0
        }
        await sink.finish()
        done = true
      },
    )
    progress.note(
      `${name}: ${before + records} records, ${tokens} tokens (${speed(tokens)})${output === '-' ? '' : `, written to ${output}`}`,
    )
  } catch (error) {
    // Rows of a faulty input are of no use: when it is mended it is another.
    keep = !(error instanceof KogrpoError && error.code === 'E_DATA')
    throw error
  } finally {
    progress.close()
    if (!done) await sink.abandon(keep && source.identity !== null)
    await (work as RecordWork<T> | null)?.close()
  }
}
