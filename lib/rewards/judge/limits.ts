/**
 * How much may be asked of an endpoint: calls in flight, requests and tokens in any minute. Both
 * limits are first come, first served.
 */
import type { Clock } from './clock.ts'

/** At most `size` tasks at a time. */
export class Places {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(size: number) {
    this.#free = size
  }

  /** Runs `task` when a place is free. Rejects with the signal's reason if it is aborted before. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    try {
      signal?.throwIfAborted()
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }
}

interface RateLimits {
  requests_per_minute?: number | undefined
  tokens_per_minute?: number | undefined
}

/** One admitted request; `tokens` is an estimate until the reply tells. */
interface Admission {
  at: number
  tokens: number
}

const MINUTE = 60_000

/** The last minute's requests, and whether one more fits in. */
export class Rates {
  readonly #requests: number
  readonly #tokens: number
  readonly #clock: Clock
  /** Admitted within the last minute, oldest first. */
  #recent: Admission[] = []
  /** No request before this time: what Retry-After asked for. */
  #notBefore = Number.NEGATIVE_INFINITY
  #turn: Promise<unknown> = Promise.resolve()

  constructor(limits: RateLimits, clock: Clock) {
    this.#requests = limits.requests_per_minute ?? Number.POSITIVE_INFINITY
    this.#tokens = limits.tokens_per_minute ?? Number.POSITIVE_INFINITY
    this.#clock = clock
  }

  /**
   * Resolves when a request of about `tokens` tokens may be sent. One that exceeds the limit by
   * itself waits for a minute of its own.
   */
  admit(tokens: number, signal?: AbortSignal): Promise<Admission> {
    const admission = this.#turn.then(() => this.#wait(tokens, signal))
    this.#turn = admission.catch(() => undefined)
    return admission
  }

  /** Corrects an estimate by what the endpoint counted. */
  settle(admission: Admission, tokens: number): void {
    admission.tokens = tokens
  }

  /** Sends nothing for the next `seconds`. */
  hold(seconds: number): void {
    this.#notBefore = Math.max(this.#notBefore, this.#clock.now() + 1000 * seconds)
  }

  async #wait(tokens: number, signal?: AbortSignal): Promise<Admission> {
    for (;;) {
      signal?.throwIfAborted()
      const now = this.#clock.now()
      this.#recent = this.#recent.filter(({ at }) => at > now - MINUTE)
      const until = Math.max(this.#notBefore, this.#earliest(tokens, now))
      if (until <= now) {
        const admission = { at: now, tokens }
        this.#recent.push(admission)
        return admission
      }
      // Replies that come meanwhile may free tokens: look again within a second.
      await this.#clock.sleep(Math.min(until - now, 1000), signal)
    }
  }

  /** When the oldest requests have left the minute that are in the way of one more. */
  #earliest(tokens: number, now: number): number {
    let sum = this.#recent.reduce((total, admission) => total + admission.tokens, 0)
    let count = this.#recent.length
    let time = now
    for (const admission of this.#recent) {
      if (count < this.#requests && sum + tokens <= this.#tokens) break
      time = admission.at + MINUTE
      count--
      sum -= admission.tokens
    }
    return time
  }
}
