/**
 * `kogrpo corpus filter`: a corpus of JSONL or Parquet files read once, as a stream, and written without
 * what breaks a rule, repeats an earlier text, or lies outside a window of perplexity. Rules and keys
 * are computed on threads (judges.ts); duplicates are decided here, in the order of the corpus. Memory
 * is the index of duplicates and some blocks, whatever the size of the corpus.
 */

import { KogrpoError } from '../../errors.ts'
import { joined, written } from '../../messages/phrase.ts'
import type { BlockOptions, JudgedBlock } from './block.ts'
import { corpusText, EMPTY_LINE, PASSES } from './block.ts'
import { readBlocks } from './blocks.ts'
import { Deduplicator } from './dedup.ts'
import { judgeBlocks } from './judges.ts'
import { FilterFiles, type FilterFilesOptions, type Position } from './output.ts'
import { type PerplexityOptions, perplexities } from './perplexity.ts'
import { countPerplexity, emptyReport, type FilterReport } from './report.ts'
import { FILTER_RULES } from './rules.ts'

export interface FilterOptions extends BlockOptions, FilterFilesOptions {
  inputs: readonly string[]
  /** Jaccard similarity (minhash) or share of known runs (ngram) from which a text is a duplicate. */
  similarity: number
  /** Bytes of the index of duplicates. */
  indexBytes: number
  /** Threads that judge blocks; 0: none but the caller's. */
  threads: number
  perplexity?: PerplexityOptions | undefined
  /** Seconds between saved states. */
  saveSeconds: number
  signal?: AbortSignal | undefined
  onProgress?: (position: Position, report: Readonly<FilterReport>) => void
}

/** Records whose perplexity is asked for together. */
const SCORED_TOGETHER = 16

interface Candidate {
  line: Buffer
  place: string
}

/** A run over all inputs; see `filterCorpus`. */
class Filter {
  readonly #options: FilterOptions
  readonly #dedup: Deduplicator
  readonly #files: FilterFiles
  readonly report: FilterReport
  readonly #position: Position
  #candidates: Candidate[] = []
  #savedAt = performance.now()

  constructor(options: FilterOptions) {
    this.#options = options
    this.#dedup = new Deduplicator(options.dedup, options.similarity, options.indexBytes)
    this.#files = new FilterFiles(options, this.#dedup.index)
    const { resumed } = this.#files
    this.report = resumed?.report ?? emptyReport()
    this.#position = resumed?.position ?? { file: 0, offset: 0, line: 0 }
  }

  async run(): Promise<FilterReport> {
    const { inputs, threads, signal, saveSeconds } = this.#options
    let whole = false
    try {
      const at = this.#position
      for (; at.file < inputs.length; at.file++, at.offset = 0, at.line = 0) {
        const blocks = readBlocks(inputs[at.file]!, at.offset)
        for await (const { bytes, block } of judgeBlocks(blocks, this.#options, threads)) {
          await this.#take(bytes, block)
          if (signal?.aborted) {
            await this.#save()
            signal.throwIfAborted()
          }
          if (performance.now() - this.#savedAt > 1000 * saveSeconds) await this.#save()
          this.#options.onProgress?.(at, this.report)
        }
      }
      await this.#score()
      this.#files.finish()
      whole = true
      return this.report
    } finally {
      if (!whole) this.#files.abandon()
    }
  }

  async #take(bytes: Buffer, block: JudgedBlock): Promise<void> {
    const { report } = this
    const at = this.#position
    const file = this.#options.inputs[at.file]!
    if (block.error !== null) {
      const place = `${file}:${at.line + block.error.line + 1}`
      throw new KogrpoError('E_DATA', joined([place, written(block.error.message)], ': '))
    }
    const kept: Buffer[] = []
    let [from, key] = [0, 0]
    for (const [i, end] of block.ends.entries()) {
      const whole = bytes.subarray(from, end)
      from = end
      const keyEnd = block.keyEnds[i]!
      const keyBegin = key
      key = keyEnd
      let verdict = block.verdicts[i]!
      if (verdict === EMPTY_LINE) continue
      report.records++
      report.bytes += whole.length
      const line = whole.at(-1) === 0x0a ? whole.subarray(0, -1) : whole
      if (verdict === PASSES && this.#dedup.isDuplicate(block.keys, keyBegin, keyEnd)) {
        verdict = 1 + FILTER_RULES.indexOf('duplicate')
      }
      const place = `${file}:${at.line + i + 1}`
      if (verdict !== PASSES) this.#drop(line, verdict, place)
      else if (this.#options.perplexity) {
        // Copied: the block's memory would otherwise live as long as its last candidate.
        this.#candidates.push({ line: Buffer.from(line), place })
        if (this.#candidates.length === SCORED_TOGETHER) await this.#score()
      } else {
        kept.push(whole.length === line.length ? Buffer.concat([line, NEWLINE]) : whole)
        report.kept++
        report.keptBytes += line.length + 1
      }
    }
    if (kept.length > 0) this.#files.keep(Buffer.concat(kept))
    at.offset += bytes.length
    at.line += block.ends.length
  }

  #drop(line: Buffer, verdict: number, place: string): void {
    const rule = FILTER_RULES[verdict - 1]!
    this.report.dropped[rule]++
    this.#files.drop(line, rule, place)
  }

  /** Decides about the records that wait for their perplexity. */
  async #score(): Promise<void> {
    const candidates = this.#candidates
    this.#candidates = []
    if (candidates.length === 0) return
    const options = this.#options.perplexity!
    const { min = 0, max = Number.POSITIVE_INFINITY } = options
    const records = candidates.map(
      ({ line }) => JSON.parse(line.toString('utf8').trim()) as Record<string, unknown>,
    )
    const texts = records.map(record => corpusText(record, this.#options))
    const values = await perplexities(texts, options)
    for (const [i, { line, place }] of candidates.entries()) {
      const value = values[i]!
      if (value !== null) countPerplexity(this.report, value)
      if (value !== null && (value < min || value > max)) {
        this.#drop(line, 1 + FILTER_RULES.indexOf('perplexity'), place)
        continue
      }
      this.report.kept++
      this.report.keptBytes += line.length + 1
      this.#files.keep(Buffer.concat([line, NEWLINE]))
    }
  }

  async #save(): Promise<void> {
    await this.#score()
    this.#files.save(this.#position, this.report, this.#dedup.index)
    this.#savedAt = performance.now()
  }
}

const NEWLINE = Buffer.from('\n')

/**
 * Filters the inputs into `options.output`. A run that is stopped (by the signal, or by a crash after a
 * saved state) goes on when it is called again with the same options, and gives the same bytes.
 * Throws `E_DATA` naming file and line, `E_OUTPUT`, `E_MEMORY`.
 */
export async function filterCorpus(options: FilterOptions): Promise<FilterReport> {
  return await new Filter(options).run()
}
