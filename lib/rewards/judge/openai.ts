/**
 * A judge behind any OpenAI-compatible chat endpoint. Around the single attempt (endpoint.ts): a bound
 * on calls in flight, requests and tokens per minute, bounded retries with exponential back-off whose
 * jitter follows from the seed, and a circuit breaker. Whatever remains is a failed verdict with its
 * reason, never an exception: a judge that is down must not end or bend a run by itself.
 */
import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { OpenAiJudgeSpec } from '../../config/schema/oracle.ts'
import { Breaker } from './breaker.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Attempt, attempt, type EndpointOptions, LONGEST_WAIT_S } from './endpoint.ts'
import { readKey } from './key.ts'
import { Places, Rates } from './limits.ts'
import { checkPrompt, critiqueMessages, judgeMessages, type PromptMessage } from './prompt.ts'
import {
  type Critique,
  type JudgeItem,
  type Judgement,
  judgement,
  type KeyedJudge,
  type TokenUse,
} from './types.ts'
import { parseCritique, parseVerdict } from './verdict.ts'

type Failed = { failed: string }
type Read<T> = (content: string) => T | Failed

/** Seconds; the back-off does not grow beyond it. */
const LONGEST_BACKOFF_S = 30
/** Bytes of UTF-8 to a token, on the low side for Korean and English alike. */
const BYTES_PER_TOKEN = 3

/**
 * Makes the judge. `environment` supplies the key (default `process.env`). Throws `E_CONFIG` for a
 * key that is not there and for a template without its places.
 */
export function openAiJudge(
  spec: OpenAiJudgeSpec,
  environment: Record<string, string | undefined> = process.env,
  clock: Clock = systemClock,
): KeyedJudge {
  checkPrompt(spec)
  return new OpenAiJudge(spec, readKey(spec, environment), clock)
}

class OpenAiJudge implements KeyedJudge {
  readonly description: string
  readonly #spec: OpenAiJudgeSpec
  readonly #endpoint: EndpointOptions
  readonly #clock: Clock
  readonly #places: Places
  readonly #rates: Rates
  readonly #breaker: Breaker

  constructor(spec: OpenAiJudgeSpec, key: string | undefined, clock: Clock) {
    const { base_url, model, timeout_s, max_tokens, seed } = spec
    this.description = `${spec.name ?? 'openai'} (${model} at ${base_url})`
    this.#spec = spec
    this.#endpoint = { base_url, model, key, timeout_s, max_tokens, seed }
    this.#clock = clock
    this.#places = new Places(spec.concurrency)
    this.#rates = new Rates(spec, clock)
    const { breaker_failures, breaker_cooldown_s } = spec
    this.#breaker = new Breaker(
      { failures: breaker_failures, cooldown_s: breaker_cooldown_s },
      clock,
    )
  }

  keyOf(item: JudgeItem): string {
    // The model's name stands for the model; where it is served does not matter.
    const { model, seed } = this.#spec
    const asked = JSON.stringify(['openai', model, seed, judgeMessages(item, this.#spec)])
    return createHash('sha256').update(asked).digest('hex')
  }

  judge(item: JudgeItem, signal?: AbortSignal): Promise<Judgement> {
    return this.#timed(judgeMessages(item, this.#spec), parseVerdict, signal)
  }

  critique(item: JudgeItem, signal?: AbortSignal): Promise<Judgement<Critique>> {
    return this.#timed(critiqueMessages(item, this.#spec.seed), parseCritique, signal)
  }

  async close(): Promise<void> {}

  /** Asks when a place is free. */
  async #timed<T extends object>(
    messages: PromptMessage[],
    read: Read<T>,
    signal: AbortSignal | undefined,
  ): Promise<Judgement<T | Failed>> {
    // One signal for all that is under way: many listeners are no leak.
    if (signal) setMaxListeners(0, signal)
    const started = this.#clock.now()
    const result = await this.#places.run(() => this.#ask(messages, read, signal), signal)
    return { ...result, latency_s: (this.#clock.now() - started) / 1000 }
  }

  async #ask<T extends object>(
    messages: PromptMessage[],
    read: Read<T>,
    signal: AbortSignal | undefined,
  ): Promise<Judgement<T | Failed>> {
    const { max_retries } = this.#spec
    let requests = 0
    let tokens: TokenUse | null = null
    const failed = (reason: string): Judgement<Failed> =>
      judgement<Failed>({ failed: reason }, { requests, tokens })
    for (;;) {
      const refusal = this.#breaker.refusal()
      if (refusal !== null) return failed(refusal)
      const outcome = await this.#attempt(messages, read, signal)
      requests++
      tokens = outcome.tokens
      if (!outcome.retry) return judgement<T | Failed>(outcome.verdict, { requests, tokens })
      const reason = outcome.verdict.failed
      if (requests > max_retries) {
        return failed(requests === 1 ? reason : `${reason} (after ${requests} attempts)`)
      }
      const wait = outcome.after_s ?? this.#backoff(messages, requests)
      if (wait > LONGEST_WAIT_S) {
        return failed(`${reason} (asks to wait ${Math.round(wait)} s)`)
      }
      // What one reply asks for holds for the whole endpoint.
      if (outcome.after_s !== null) this.#rates.hold(outcome.after_s)
      await this.#clock.sleep(1000 * wait, signal)
    }
  }

  /** One request within the rates; the breaker learns of it. */
  async #attempt<T extends object>(
    messages: PromptMessage[],
    read: Read<T>,
    signal: AbortSignal | undefined,
  ): Promise<Attempt<T>> {
    const bytes = Buffer.byteLength(JSON.stringify(messages))
    const estimate = Math.ceil(bytes / BYTES_PER_TOKEN)
    try {
      const admission = await this.#rates.admit(estimate + this.#spec.max_tokens, signal)
      const outcome = await attempt(this.#endpoint, messages, signal, read)
      if (outcome.tokens) {
        this.#rates.settle(admission, outcome.tokens.prompt + outcome.tokens.completion)
      }
      if ('failed' in outcome.verdict) this.#breaker.failed(outcome.verdict.failed)
      else this.#breaker.succeeded()
      return outcome
    } catch (error) {
      this.#breaker.cancelled()
      throw error
    }
  }

  /** Seconds: 1, 2, 4 …, each times 0.5 to 1.5 by the seed, the question asked and the attempt. */
  #backoff(messages: PromptMessage[], attempts: number): number {
    const hash = createHash('sha256').update(JSON.stringify([this.#spec.seed, attempts, messages]))
    const uniform = hash.digest().readUInt32LE(0) / 2 ** 32
    return Math.min(2 ** (attempts - 1), LONGEST_BACKOFF_S) * (0.5 + uniform)
  }
}
