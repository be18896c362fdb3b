/**
 * A serving session of an engine: requests are added and cancelled at any time and their tokens stream
 * out. The scheduler (native/engine/scheduler.h) batches whatever is live; a completion is the same
 * bytes whatever else is.
 *
 * The engine's thread makes steps while something is live. Two step calls are kept in its queue, so
 * that it computes the next step while the events of the last are handled here; every other call of
 * the engine takes its place between them.
 */
import { KogrpoError } from '../errors.ts'
import { failure, phrase } from '../messages/phrase.ts'
import type { NativeEngine, NativeEvents, ServingStats } from './native.ts'
import type { GenerateRequest } from './request.ts'

export type { ServingStats } from './native.ts'

export interface ServingOptions {
  /** Bytes of keys and values: the memory plan. Requests beyond it wait, or are preempted. */
  maxCacheBytes: number
  /** Sequences running at once (default: 64). */
  maxSequences?: number
  /** Prompt tokens read per step (default: 128): what a long prompt may cost the others. */
  prefillRows?: number
  /** Ids from here on are never sampled (default: none). */
  vocabLimit?: number
}

export interface ServeRequest extends Omit<GenerateRequest, 'maxNewTokens'> {
  /** 0 is allowed with `promptLogprobs`. */
  maxNewTokens: number
  /** The model's own log-probs, at temperature 1 over the whole vocabulary, as score() gives them: of
   *  every token, and of the so many likeliest ids at its place. Absent: none. */
  logprobs?: number
  /** Those of the prompt's tokens too (its first has none). */
  promptLogprobs?: boolean
}

/** A token with what was asked for. */
export interface ServedToken {
  /** `prompt`: a token of the prompt, from the second on; `token`: a generated one. */
  kind: 'prompt' | 'token'
  token: number
  /** Under the distribution that it was sampled from; 0 for the prompt's. */
  logprob: number
  /** Under the model; 0 unless log-probs were asked for. */
  modelLogprob: number
  topIds: Int32Array
  topLogprobs: Float32Array
}
type ServedEvent = ServedToken | { kind: 'finish'; reason: 'stop' | 'length' }

/** Seconds that a call of the engine steps on before it comes back with events. */
const STEP_SECONDS = 0.002
const STEPS_IN_FLIGHT = 2

/** The events of one request, in order; leaving the loop early cancels it. */
class Stream implements AsyncIterableIterator<ServedEvent> {
  #events: ServedEvent[] = []
  #failure: { error: unknown } | undefined
  #wake: (() => void) | undefined
  #done = false
  readonly #cancel: () => void
  readonly #detach: () => void

  /** `detach` is called when the last event has come. */
  constructor(cancel: () => void, detach: () => void) {
    this.#cancel = cancel
    this.#detach = detach
  }

  push(event: ServedEvent): void {
    this.#events.push(event)
    if (event.kind === 'finish') this.#detach()
    this.#wake?.()
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#events = []
    this.#detach()
    this.#wake?.()
  }

  async next(): Promise<IteratorResult<ServedEvent>> {
    while (!this.#done) {
      const event = this.#events.shift()
      if (event) {
        this.#done = event.kind === 'finish'
        return { value: event, done: false }
      }
      if (this.#failure) {
        this.#done = true
        throw this.#failure.error
      }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return { value: undefined, done: true }
  }

  async return(): Promise<IteratorResult<ServedEvent>> {
    this.#done = true
    this.#cancel()
    this.#wake?.()
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

export class ServingSession implements AsyncDisposable {
  readonly #native: NativeEngine
  readonly #live = new Map<number, Stream>()
  #next = 1
  #stepping = 0
  #closed = false
  #stats: ServingStats

  /** Made by Engine.serve(). */
  constructor(native: NativeEngine, stats: ServingStats) {
    this.#native = native
    this.#stats = stats
  }

  /** As of the last step. */
  get stats(): ServingStats {
    return this.#stats
  }

  /** Requests whose end has not been seen yet. */
  get live(): number {
    return this.#live.size
  }

  /** Adds a request; its events end with `finish`. Breaking out of the loop, or the signal, cancels it
   *  at once. Throws ERR_INVALID_ARGUMENT for one that could never be served. */
  submit(
    request: ServeRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncIterableIterator<ServedEvent> {
    signal?.throwIfAborted()
    if (this.#closed) throw new KogrpoError('E_SERVING', phrase('the serving session is closed'))
    const id = this.#next
    this.#next = id === 0x7fff_ffff ? 1 : id + 1
    this.#native.serveSubmit(id, request)
    const detach = (): void => signal?.removeEventListener('abort', abort)
    const cancel = (): void => {
      detach()
      if (this.#live.delete(id) && !this.#closed) this.#native.serveCancel(id)
    }
    const abort = (): void => {
      cancel()
      stream.fail(signal?.reason)
    }
    const stream = new Stream(cancel, detach)
    signal?.addEventListener('abort', abort, { once: true })
    this.#live.set(id, stream)
    this.#drive()
    return stream
  }

  /** Cancels what is live and frees the cache. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#failAll(new KogrpoError('E_SERVING', phrase('the serving session was closed')))
    await this.#native.serveClose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #failAll(error: unknown): void {
    const streams = [...this.#live.values()]
    this.#live.clear()
    for (const stream of streams) stream.fail(error)
  }

  #drive(): void {
    while (this.#live.size > 0 && !this.#closed && this.#stepping < STEPS_IN_FLIGHT) {
      this.#stepping++
      this.#native
        .serveStep({ seconds: STEP_SECONDS })
        .then(
          ({ events, stats }) => {
            this.#stats = stats
            this.#dispatch(events)
          },
          error => {
            // The engine has dropped everything that was live.
            const failed = new KogrpoError(
              'E_SERVING',
              phrase('generation failed: {reason}', { reason: failure(error) }),
              {
                cause: error,
              },
            )
            if (!this.#closed) this.#failAll(failed)
          },
        )
        .finally(() => {
          this.#stepping--
          this.#drive()
        })
    }
  }

  #dispatch(events: NativeEvents): void {
    let top = 0
    for (const [i, id] of events.request.entries()) {
      const from = top
      top += events.top[i] as number
      const stream = this.#live.get(id)
      if (!stream) continue
      const kind = events.kind[i] as number
      if (kind >= 2) {
        this.#live.delete(id)
        stream.push({ kind: 'finish', reason: kind === 2 ? 'stop' : 'length' })
        continue
      }
      stream.push({
        kind: kind === 0 ? 'prompt' : 'token',
        token: events.token[i] as number,
        logprob: events.logprob[i] as number,
        modelLogprob: events.modelLogprob[i] as number,
        topIds: events.topIds.subarray(from, top),
        topLogprobs: events.topLogprobs.subarray(from, top),
      })
    }
  }
}
