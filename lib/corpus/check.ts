/**
 * What stands in a data file, before a run pays for it: how many samples it makes, the mistakes of
 * all its lines (not only the first), lengths in tokens, languages, duplicates, and problems that a
 * benchmark holds too. One pass; memory is a fingerprint a record.
 */
import { toConversation } from '../data/columns.ts'
import type { SourceRecord } from '../data/readers.ts'
import { type SampleOptions, toGrpoSample, toSftSample } from '../data/samples.ts'
import { KogrpoError } from '../errors.ts'
import { failure, type Phrase } from '../messages/phrase.ts'
import { KOREAN, koreanShare } from '../rewards/korean.ts'
import { fingerprint } from './text.ts'
import { textsOf } from './texts-of.ts'

export type CheckedStage = 'pretrain' | 'sft' | 'grpo'

export interface Lengths {
  min: number
  median: number
  p95: number
  max: number
  total: number
}

interface LanguageShare {
  /** Texts that have such a part. */
  texts: number
  /** Of these, the share that is Korean (at least 80 % of the letters). */
  korean: number
  /** Mean share of Korean letters. */
  mean: number
}

export interface CheckReport {
  records: number
  samples: number
  /** Longer than the limit; what the recipe's `overlong` decides about. */
  overlong: number
  /** "FILE:LINE: problem" of records that make no sample; the first of them. */
  errors: Phrase[]
  errorCount: number
  columns: string[]
  tokens: Lengths | null
  trainedTokens: number
  language: Partial<Record<'prompt' | 'thinking' | 'answer', LanguageShare>>
  /** Records whose prompt occurred before, and the first pairs "FILE:LINE = FILE:LINE". */
  duplicates: { count: number; examples: string[] }
  /** Records whose prompt is among the benchmark's, and the first pairs. */
  leaked: { count: number; examples: string[] }
  /** sft: samples that answer without thinking. */
  withoutThinking: number
  /** grpo: records without an answer for the accuracy reward. */
  withoutAnswer: number
}

const EXAMPLES = 5

/** Where each prompt of a benchmark stands, by its fingerprint. */
export type Fingerprints = ReadonlyMap<string, string>

/** Fingerprints of the prompts of a file, e.g. of a benchmark that must not be trained on. */
export async function fingerprints(
  records: AsyncIterable<SourceRecord>,
  columns?: SampleOptions['columns'],
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const source of records) {
    const { prompt } = textsOf(toConversation(source, { columns, promptOnly: true }))
    const key = fingerprint(prompt)
    if (key !== '' && !found.has(key)) found.set(key, `${source.file}:${source.line}`)
  }
  return found
}

/** Checks records one by one; `report()` at the end. */
export class DataCheck {
  readonly #stage: CheckedStage
  readonly #options: SampleOptions
  readonly #against: Fingerprints
  readonly #seen = new Map<string, string>()
  readonly #columns = new Set<string>()
  readonly #lengths: number[] = []
  readonly #language = new Map<string, number[]>()
  readonly #report: CheckReport = {
    ...{ records: 0, samples: 0, overlong: 0, errors: [], errorCount: 0, columns: [] },
    ...{ tokens: null, trainedTokens: 0, language: {}, withoutThinking: 0, withoutAnswer: 0 },
    duplicates: { count: 0, examples: [] },
    leaked: { count: 0, examples: [] },
  }

  /** `options.maxLength` only counts here: a longer sample is reported, never refused. */
  constructor(stage: CheckedStage, options: SampleOptions, against: Fingerprints = new Map()) {
    this.#stage = stage
    this.#options = options
    this.#against = against
  }

  add(source: SourceRecord): void {
    const report = this.#report
    report.records++
    for (const column of Object.keys(source.record)) this.#columns.add(column)
    try {
      this.#sample(source)
      this.#texts(source)
      report.samples++
    } catch (error) {
      if (!(error instanceof KogrpoError)) throw error
      report.errorCount++
      if (report.errors.length < EXAMPLES) report.errors.push(failure(error))
    }
  }

  report(): CheckReport {
    const shares = [...this.#language].map(([part, values]) => [part, languageShare(values)])
    return {
      ...this.#report,
      columns: [...this.#columns],
      tokens: lengths(this.#lengths),
      language: Object.fromEntries(shares) as CheckReport['language'],
    }
  }

  #sample(source: SourceRecord): void {
    const unlimited = { ...this.#options, maxLength: Number.MAX_SAFE_INTEGER, overlong: 'error' }
    const report = this.#report
    let length: number
    if (this.#stage === 'grpo') {
      const { sample } = toGrpoSample(source, unlimited as SampleOptions)
      length = sample!.promptIds.length
      if (String(sample!.extra.answer ?? '').trim() === '') report.withoutAnswer++
    } else {
      const { sample } = toSftSample(source, unlimited as SampleOptions)
      length = sample!.ids.length
      report.trainedTokens += sample!.trained
    }
    this.#lengths.push(length)
    if (length > this.#options.maxLength) report.overlong++
  }

  #texts(source: SourceRecord): void {
    const promptOnly = this.#stage === 'grpo'
    const texts = textsOf(toConversation(source, { ...this.#options, promptOnly }))
    for (const part of ['prompt', 'thinking', 'answer'] as const) {
      const text = texts[part]
      const share = text === null ? null : koreanShare(text).share
      if (share === null) continue
      const values = this.#language.get(part)
      if (values) values.push(share)
      else this.#language.set(part, [share])
    }
    if (texts.answer !== null && texts.thinking === null) this.#report.withoutThinking++
    const key = fingerprint(texts.prompt)
    if (key === '') return
    const here = `${source.file}:${source.line}`
    note(this.#report.duplicates, here, this.#seen.get(key))
    note(this.#report.leaked, here, this.#against.get(key))
    if (!this.#seen.has(key)) this.#seen.set(key, here)
  }
}

function note(of: { count: number; examples: string[] }, here: string, there?: string): void {
  if (there === undefined) return
  of.count++
  const file = here.replace(/\d+$/, '')
  const short = there.startsWith(file) ? there.slice(file.length) : there
  if (of.examples.length < EXAMPLES) of.examples.push(`${here} = ${short}`)
}

function lengths(values: number[]): Lengths | null {
  if (values.length === 0) return null
  const sorted = Float64Array.from(values).sort()
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!
  const total = sorted.reduce((sum, x) => sum + x, 0)
  return { min: sorted[0]!, median: at(0.5), p95: at(0.95), max: sorted.at(-1)!, total }
}

function languageShare(values: number[]): LanguageShare {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  const korean = values.filter(x => x >= KOREAN).length / values.length
  return { texts: values.length, korean, mean }
}
