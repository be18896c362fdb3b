/**
 * How likely a token whose bytes break off in the middle of a character goes on to write a Chinese
 * one. Smoothie-Qwen (arXiv 2507.05686) estimates, for a broken token t and n = 2, 3, …:
 *
 *   P_n(t) = share of the sequences t, b₂ … b_n of broken tokens whose text has a target character
 *
 * from about a thousand random sequences a token and n. Here P_n is the exact value of that share
 * over all sequences: the text matters only through the state of the UTF-8 decoder, so with v_k(s)
 * the share of k tokens that write no target character from state s on,
 *
 *   v_0 = 1,   v_k(s) = mean over b of [b writes none from s] · v_{k−1}(state after b),
 *
 * and P_n(t) = 1 − v_{n−1}(state after t). States from which no target character can be reached any
 * more are one with START, which leaves a thousand states or so.
 */
import type { CharacterSet } from './characters.ts'
import { NONE, reachable, START, step } from './utf8.ts'

/** The scan met a target character. */
const HIT = -1

export class BrokenTokens {
  readonly #tokens: readonly Uint8Array[]
  readonly #target: CharacterSet
  /** v_k by k and state. */
  readonly #values: Map<number, number>[] = []
  readonly #hopeless = new Map<number, boolean>()

  /** `tokens`: the bytes of every broken token of the vocabulary. */
  constructor(tokens: readonly Uint8Array[], target: CharacterSet) {
    this.#tokens = tokens
    this.#target = target
  }

  /** P_2 … P_window of the broken token with these bytes. */
  probabilities(bytes: Uint8Array, window: number): number[] {
    const state = this.#scan(START, bytes)
    return Array.from({ length: window - 1 }, (_, i) =>
      state === HIT ? 1 : 1 - this.#value(i + 1, state),
    )
  }

  /** Whether the character that the bytes leave unfinished can become a target character. */
  canBegin(bytes: Uint8Array): boolean {
    const state = this.#scan(START, bytes)
    return state !== START && state !== HIT
  }

  #value(k: number, state: number): number {
    if (k === 0) return 1
    this.#values[k] ??= new Map()
    const known = this.#values[k].get(state)
    if (known !== undefined) return known
    let sum = 0
    for (const bytes of this.#tokens) {
      const next = this.#scan(state, bytes)
      if (next !== HIT) sum += this.#value(k - 1, next)
    }
    const value = sum / this.#tokens.length
    this.#values[k].set(state, value)
    return value
  }

  /** The state after `bytes`, or `HIT`. */
  #scan(from: number, bytes: Uint8Array): number {
    let state = from
    for (const byte of bytes) {
      const [next, character] = step(state, byte)
      if (character !== NONE && this.#target.has(character)) return HIT
      state = next
    }
    return this.#isHopeless(state) ? START : state
  }

  #isHopeless(state: number): boolean {
    if (state === START) return true
    let hopeless = this.#hopeless.get(state)
    if (hopeless === undefined) {
      hopeless = !this.#target.overlaps(...reachable(state))
      this.#hopeless.set(state, hopeless)
    }
    return hopeless
  }
}
