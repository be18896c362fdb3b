/**
 * A block of whole lines of JSONL, judged: which rule each record breaks, and the keys by which its
 * repetition is found. Pure work on bytes, so that any thread can do it; the order of the corpus
 * matters only to what follows (dedup.ts).
 */
import { isUtf8 } from 'node:buffer'
import { toConversation } from '../../data/columns.ts'
import { messageOf } from '../../errors.ts'
import { textsOf } from '../texts-of.ts'
import { Measurer } from './measure.ts'
import { brokenRule, FILTER_RULES, type RuleOptions } from './rules.ts'
import { type DedupMethod, Signatures } from './signature.ts'

export interface BlockOptions {
  columns?: Readonly<Record<string, string>> | undefined
  rules: RuleOptions
  dedup: DedupMethod
}

/** Marks in `verdicts`; other values are 1 + the index of the broken rule. */
export const PASSES = 0
export const EMPTY_LINE = 255

export interface JudgedBlock {
  /** Where each line ends, behind its newline. */
  ends: Uint32Array
  verdicts: Uint8Array
  /** Of line i: keys [keyEnds[i − 1], keyEnds[i]), two words each. */
  keyEnds: Uint32Array
  keys: Uint32Array
  /** The first line that is no record (0-based), and why; what follows it is not judged. */
  error: { line: number; message: string } | null
}

const NEWLINE = 0x0a

/** The text of a record that is judged: everything it says, in its order. */
export function corpusText(record: Record<string, unknown>, options: BlockOptions): string {
  const { columns } = options
  const plain = record[columns?.text ?? 'text']
  const only = columns?.text !== undefined || !('messages' in record || 'prompt' in record)
  if (typeof plain === 'string' && only) return plain
  // Where it stands is put before the message by whoever knows it.
  const { prompt, thinking, answer } = textsOf(
    toConversation({ record, file: '', line: 0 }, { columns }),
  )
  return [prompt, thinking, answer].filter(part => part !== null).join('\n')
}

export class BlockJudge {
  readonly #options: BlockOptions
  readonly #measurer = new Measurer()
  readonly #signatures: Signatures

  constructor(options: BlockOptions) {
    this.#options = options
    this.#signatures = new Signatures(options.dedup)
  }

  /** Judges `bytes`, which ends with a newline or with the file. */
  judge(bytes: Buffer): JudgedBlock {
    const ends: number[] = []
    for (let from = 0; from < bytes.length; from = ends.at(-1)!) {
      const newline = bytes.indexOf(NEWLINE, from)
      ends.push(newline < 0 ? bytes.length : newline + 1)
    }
    const lines = ends.length
    const verdicts = new Uint8Array(lines)
    const keyEnds = new Uint32Array(lines)
    const valid = isUtf8(bytes)
    let error: JudgedBlock['error'] = null
    let [from, keys] = [0, 0]
    for (let i = 0; i < lines && error === null; i++) {
      const line = bytes.subarray(from, ends[i])
      from = ends[i]!
      try {
        if (!valid && !isUtf8(line)) throw new Error('the line is not valid UTF-8')
        const text = line.toString('utf8').trim()
        if (text === '') verdicts[i] = EMPTY_LINE
        else {
          const judged = this.#record(text)
          verdicts[i] = judged.verdict
          keys += judged.keys
        }
      } catch (cause) {
        error = { line: i, message: messageOf(cause).replace(/^:0: /, '') }
      }
      keyEnds[i] = keys
    }
    return { ends: Uint32Array.from(ends), verdicts, keyEnds, keys: this.#signatures.take(), error }
  }

  #record(line: string): { verdict: number; keys: number } {
    const { rules } = this.#options
    let record: unknown
    try {
      record = JSON.parse(line)
    } catch (cause) {
      throw new Error(`the line is not valid JSON: ${messageOf(cause)}`)
    }
    if (typeof record !== 'object' || record === null || Array.isArray(record)) {
      throw new Error('the line is not a JSON object; JSONL has one object per line')
    }
    const text = corpusText(record as Record<string, unknown>, this.#options)
    const measures = this.#measurer.measure(text)
    const rule = brokenRule(measures, rules)
    if (rule !== null) return { verdict: 1 + FILTER_RULES.indexOf(rule), keys: 0 }
    const keys = this.#signatures.add(this.#measurer.reducedText, measures.reduced)
    return { verdict: PASSES, keys }
  }
}
