/**
 * One pass over the characters of a text: what the rules want to know of it, and the text reduced to
 * what is compared between texts (units.ts). Work and memory are linear in the text; buffers are kept
 * from text to text.
 *
 * Repetition within a text is the share of its reduced characters that lie in a run of 20 which
 * occurred before in it (Gopher's "duplicate n-grams", Rae et al. 2021, arXiv 2112.11446, table A1, in
 * characters instead of words, which Korean particles would keep apart), and the share that stands in
 * lines which occurred before.
 */
import { SeenHashes } from './seen-hashes.ts'
import { KIND, unitTables } from './units.ts'

/** Length of the runs whose repetition counts, in reduced characters. */
const RUN = 20

export interface Measures {
  /** UTF-16 units, and those that are no space. */
  chars: number
  visible: number
  letters: number
  hangul: number
  jamo: number
  digits: number
  broken: number
  /** Sentence ends: a stop followed by a space, a line's end or the text's. */
  sentences: number
  /** Characters of lines, and of those lines that occurred before. */
  lineChars: number
  repeatedLineChars: number
  /** Reduced characters that lie in a run which occurred before. */
  repeatedRunChars: number
  /** Reduced characters: `forms` of the Measurer, up to here. */
  reduced: number
}

/** h ← fmix32(h), murmur3's finaliser: every bit of the result depends on every bit of h. */
export function mix(h: number): number {
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const BASE = 0x01000193
const LINE_SEED = 0x811c9dc5

function power(base: number, exponent: number): number {
  let result = 1
  for (let i = 0; i < exponent; i++) result = Math.imul(result, base)
  return result
}
const LEAVING = power(BASE, RUN)

export class Measurer {
  readonly #kinds: Uint8Array
  readonly #forms: Uint16Array
  readonly #lines = new SeenHashes()
  readonly #runs = new SeenHashes()
  /** The reduced text of the last call, in its first `reduced` elements. */
  reducedText = new Uint16Array(1 << 12)

  constructor() {
    const { kinds, forms } = unitTables()
    this.#kinds = kinds
    this.#forms = forms
  }

  /** Measures one text; NFD text is composed first. */
  measure(raw: string): Measures {
    const text = raw.normalize('NFC')
    const n = text.length
    if (this.reducedText.length < n) this.reducedText = new Uint16Array(2 * n)
    const [kinds, forms, out] = [this.#kinds, this.#forms, this.reducedText]
    const count = new Float64Array(9)
    this.#lines.clear(n)
    this.#runs.clear(n)
    let [reduced, sentences, lineChars, repeatedLineChars, repeatedRunChars] = [0, 0, 0, 0, 0]
    let [line, lineLength, run, repeatedTo, stopped] = [LINE_SEED, 0, 0, 0, false]
    for (let i = 0; i <= n; i++) {
      // The text's end closes its last line.
      const unit = i < n ? text.charCodeAt(i) : 0x0a
      const kind = kinds[unit]!
      if (i < n) count[kind]!++
      if (kind === KIND.newline || kind === KIND.space) {
        if (stopped) sentences++
        if (kind === KIND.newline) {
          lineChars += lineLength
          if (lineLength > 0 && this.#lines.add(mix(line))) repeatedLineChars += lineLength
          line = LINE_SEED
          lineLength = 0
        }
        stopped = false
        continue
      }
      stopped = kind === KIND.stop
      line = Math.imul(line ^ unit, BASE)
      lineLength++
      const form = forms[unit]!
      if (form === 0) continue
      out[reduced++] = form
      run = (Math.imul(run, BASE) + form) | 0
      if (reduced < RUN) continue
      if (reduced > RUN) run = (run - Math.imul(out[reduced - RUN - 1]!, LEAVING)) | 0
      if (this.#runs.add(mix(run))) {
        repeatedRunChars += reduced - Math.max(repeatedTo, reduced - RUN)
        repeatedTo = reduced
      }
    }
    const [hangul, jamo] = [count[KIND.hangul]!, count[KIND.jamo]!]
    return {
      ...{ chars: n, visible: n - count[KIND.space]! - count[KIND.newline]! },
      ...{ letters: hangul + jamo + count[KIND.letter]!, hangul, jamo, digits: count[KIND.digit]! },
      ...{ broken: count[KIND.broken]!, sentences, lineChars, repeatedLineChars },
      ...{ repeatedRunChars, reduced },
    }
  }
}
