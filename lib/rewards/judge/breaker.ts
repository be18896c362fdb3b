/**
 * Circuit breaker (Nygard, "Release It!"): after `failures` failed attempts in a row nothing is sent
 * for `cooldown_s` seconds, so that a judge that is down is not hammered and a run does not wait for
 * every time-out. Then one attempt is let through: if it succeeds the circuit closes, if not it stays
 * open for another while. An attempt that is not let through is a failed verdict, never a 0.
 */
import type { Clock } from './clock.ts'

interface BreakerOptions {
  failures: number
  cooldown_s: number
}

export class Breaker {
  readonly #options: BreakerOptions
  readonly #clock: Clock
  #failed = 0
  #reason = ''
  /** When the next attempt may be made; null while the circuit is closed. */
  #openUntil: number | null = null
  #probing = false

  constructor(options: BreakerOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  /** Null if an attempt may be made now, which must be followed by one of the calls below. */
  refusal(): string | null {
    if (this.#openUntil === null) return null
    const wait = this.#openUntil - this.#clock.now()
    if (wait <= 0 && !this.#probing) {
      this.#probing = true
      return null
    }
    const next = wait > 0 ? `in ${Math.ceil(wait / 1000)} s` : 'under way'
    return `not asked: ${this.#failed} attempts failed in a row, the next is ${next}; the last: ${this.#reason}`
  }

  succeeded(): void {
    this.#failed = 0
    this.#openUntil = null
    this.#probing = false
  }

  failed(reason: string): void {
    this.#failed++
    this.#reason = reason
    const closed = this.#openUntil === null
    if ((closed && this.#failed >= this.#options.failures) || this.#probing) {
      this.#openUntil = this.#clock.now() + 1000 * this.#options.cooldown_s
    }
    this.#probing = false
  }

  /** The attempt was cancelled and says nothing about the judge. */
  cancelled(): void {
    this.#probing = false
  }
}
