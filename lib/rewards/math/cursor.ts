/**
 * The parser's place in the tokens, with its budget: at most MAX_DEPTH nested constructs and
 * MAX_STEPS steps, so that no input costs more than a moment. Failure is an exception that
 * `parseMath` (grammar.ts) turns into null.
 */
import type { Token } from './lexer.ts'

const MAX_DEPTH = 40
const MAX_STEPS = 20_000

/** The text is not a formula that this grammar reads. */
export class NotMath extends Error {}

export class Cursor {
  readonly #tokens: Token[]
  #at = 0
  #depth = 0
  #steps = 0
  /** Open `|` bars: a further bar after an operand closes one. */
  bars = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = [...tokens]
  }

  get position(): number {
    return this.#at
  }

  /** The token `ahead` places on, or undefined at the end. */
  peek(ahead = 0): Token | undefined {
    if (++this.#steps > MAX_STEPS) throw new NotMath('too long')
    return this.#tokens[this.#at + ahead]
  }

  /** Whether the token before the next one is a numeral. */
  afterNumber(): boolean {
    return this.#tokens[this.#at - 1]?.kind === 'number'
  }

  /** Whether the next token reads as one of `texts`; letters and numbers never do. */
  is(...texts: string[]): boolean {
    const token = this.peek()
    return token !== undefined && token.kind !== 'letter' && texts.includes(token.text)
  }

  next(): Token {
    const token = this.peek()
    if (token === undefined) throw new NotMath('unexpected end')
    this.#at++
    return token
  }

  /** Moves over the next token when it reads as one of `texts`. */
  take(...texts: string[]): boolean {
    if (!this.is(...texts)) return false
    this.#at++
    return true
  }

  expect(text: string): void {
    if (!this.take(text)) throw new NotMath(`expected ${text}`)
  }

  /** The first digit of the number that comes next, the rest left: \frac12 is \frac{1}{2}. */
  takeDigit(): string {
    const { text } = this.next()
    if (text.length > 1 && /^\d+$/.test(text)) {
      this.#at--
      this.#tokens[this.#at] = { kind: 'number', text: text.slice(1), spaced: false }
    }
    return /^\d+$/.test(text) ? text[0]! : text
  }

  /** Runs `parse` one level deeper. */
  nested<T>(parse: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw new NotMath('too deep')
    const result = parse()
    this.#depth--
    return result
  }
}
