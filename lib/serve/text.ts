/** Token ids to text as they come: whole characters, cut at stop strings, thinking told apart. */
import type { Tokenizer } from '../data/tokenizer.ts'

/** How much of the end of `text` could be the start of one of `words`. */
function heldBack(text: string, words: readonly string[]): number {
  let most = 0
  for (const word of words) {
    for (let n = Math.min(word.length - 1, text.length); n > most; n--) {
      if (text.endsWith(word.slice(0, n))) most = n
    }
  }
  return most
}

/** Text of generated ids up to the first stop string, which is left out. */
export class StoppingText {
  readonly #decoder: ReturnType<Tokenizer['decodeStream']>
  readonly #stops: readonly string[]
  #held = ''
  stopped = false

  constructor(tokenizer: Tokenizer, stops: readonly string[]) {
    this.#decoder = tokenizer.decodeStream({ skipSpecial: true })
    this.#stops = stops
  }

  /** The text that is certain after this id; `stopped` tells that a stop string ended it. */
  push(id: number): string {
    return this.#take(this.#decoder.push(id), false)
  }

  /** What is left at the end. */
  end(): string {
    return this.#take(this.#decoder.end(), true)
  }

  #take(piece: string, last: boolean): string {
    if (this.stopped) return ''
    const text = this.#held + piece
    const at = this.#stops.map(stop => text.indexOf(stop)).filter(i => i >= 0)
    if (at.length > 0) {
      this.stopped = true
      this.#held = ''
      return text.slice(0, Math.min(...at))
    }
    const held = last ? 0 : heldBack(text, this.#stops)
    this.#held = text.slice(text.length - held)
    return text.slice(0, text.length - held)
  }
}

const OPEN = '<think>'
const CLOSE = '</think>'

interface ChatDelta {
  reasoning: string
  content: string
}

/** Splits `<think>reasoning</think>content`, dropping the tags and the line ends at them. */
export class ReasoningSplitter {
  #buffer = ''
  #state: 'start' | 'opened' | 'reasoning' | 'closed' | 'content'

  /** `inside`: the prompt has opened the block already. */
  constructor(inside: boolean) {
    this.#state = inside ? 'opened' : 'start'
  }

  push(text: string, last = false): ChatDelta {
    this.#buffer += text
    const delta: ChatDelta = { reasoning: '', content: '' }
    if (this.#state === 'start') {
      const lead = this.#buffer.trimStart()
      if (lead.startsWith(OPEN)) {
        this.#buffer = lead.slice(OPEN.length)
        this.#state = 'opened'
      } else if (last || !OPEN.startsWith(lead)) {
        this.#state = 'content'
      }
    }
    if (this.#state === 'opened' && this.#skipLineEnds()) this.#state = 'reasoning'
    if (this.#state === 'reasoning') this.#reason(delta, last)
    if (this.#state === 'closed' && this.#skipLineEnds()) this.#state = 'content'
    if (this.#state === 'content') {
      delta.content = this.#buffer
      this.#buffer = ''
    }
    return delta
  }

  #skipLineEnds(): boolean {
    this.#buffer = this.#buffer.replace(/^\n+/, '')
    return this.#buffer !== ''
  }

  #reason(delta: ChatDelta, last: boolean): void {
    const end = this.#buffer.indexOf(CLOSE)
    if (end >= 0) {
      delta.reasoning = this.#buffer.slice(0, end).trimEnd()
      this.#buffer = this.#buffer.slice(end + CLOSE.length)
      this.#state = 'closed'
      return
    }
    const certain = last
      ? this.#buffer.length
      : this.#buffer.slice(0, this.#buffer.length - heldBack(this.#buffer, [CLOSE])).trimEnd()
          .length
    delta.reasoning = this.#buffer.slice(0, certain)
    this.#buffer = this.#buffer.slice(certain)
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A token's own text and bytes, as log-probs name it; `bytes:\xe3` where it is no whole characters. */
export function tokenName(tokenizer: Tokenizer, id: number): { token: string; bytes: number[] } {
  // Rows of the model beyond the tokenizer's ids have no text.
  if (id >= tokenizer.size) return { token: `<id ${id}>`, bytes: [] }
  const bytes = tokenizer.bytesOf(id)
  let token: string
  try {
    token = strict.decode(bytes)
  } catch {
    token = `bytes:${Array.from(bytes, b => `\\x${b.toString(16).padStart(2, '0')}`).join('')}`
  }
  return { token, bytes: Array.from(bytes) }
}
