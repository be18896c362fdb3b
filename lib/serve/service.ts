/** The model behind the server: session, limits, and one choice of a response as a stream. */
import { randomInt } from 'node:crypto'
import type { ChatTemplate } from '../data/chat-template.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { ServedToken, ServingSession } from '../engine/serving.ts'
import { messageOf } from '../errors.ts'
import { HttpError } from './errors.ts'
import type { Metrics } from './metrics.ts'
import type { SamplingRequest } from './schema.ts'
import { StoppingText } from './text.ts'

export interface ServiceLimits {
  /** Tokens of prompt and completion together. */
  contextTokens: number
  /** Longest completion. */
  maxTokens: number
  /** Completions that may be live at once, running or waiting. */
  maxLive: number
  bodyBytes: number
  /** Seconds that a request may take. */
  timeout: number
}

export interface Service {
  modelName: string
  created: number
  vocabSize: number
  tokenizer: Tokenizer
  template(): ChatTemplate
  session: ServingSession
  metrics: Metrics
  limits: ServiceLimits
  apiKey: string | null
  /** Requests in hand; and whether new ones are refused because the server is going down. */
  inFlight: number
  draining: boolean
  /** Aborted when the grace time is over. */
  shutdown: AbortSignal
}

interface ChoiceOptions {
  ids: Int32Array
  maxTokens: number
  stops: readonly string[]
  logprobs?: number | undefined
  echo?: boolean
}

export type ChoicePart =
  | { kind: 'prompt' | 'token'; served: ServedToken; text: string }
  | { kind: 'end'; text: string; reason: 'stop' | 'length' }

/** Checks a prompt against the limits; `wanted` undefined means as many tokens as fit. */
export function completionLength(service: Service, prompt: number, wanted?: number | null): number {
  const { contextTokens, maxTokens } = service.limits
  const room = contextTokens - prompt
  if ((wanted ?? 1) > room) {
    throw new HttpError(
      400,
      `This model's context is ${contextTokens} tokens; ${prompt} are the prompt's and ${wanted ?? 1} the completion's. Shorten either.`,
      'context_length_exceeded',
      'max_tokens',
    )
  }
  if ((wanted ?? 0) > maxTokens) {
    throw new HttpError(400, `max_tokens: at most ${maxTokens} here`, 'invalid_value', 'max_tokens')
  }
  return wanted ?? Math.min(room, maxTokens)
}

/** Refuses work that the queue has no place for. */
export function requireRoom(service: Service, choices: number): void {
  if (choices > service.limits.maxLive) {
    throw new HttpError(
      400,
      `${choices} completions are asked for in one request; at most ${service.limits.maxLive} here`,
      'too_many_choices',
    )
  }
  if (service.session.live + choices > service.limits.maxLive) {
    throw new HttpError(
      429,
      'the server is at its limit of requests; try again later',
      'queue_full',
    )
  }
}

export function stopsOf({ stop }: SamplingRequest): string[] {
  return stop === undefined || stop === null ? [] : [stop].flat()
}

/** The seed of a request: the client's, or a fresh one. */
export function seedOf({ seed }: SamplingRequest): number {
  if (seed === undefined || seed === null) return randomInt(2 ** 47)
  return seed < 0 ? Number.MAX_SAFE_INTEGER + seed : seed
}

/**
 * Submits choice `stream` of a prompt: submission is at once, so that a refusal comes before any byte of the
 * response. Same seed and stream, same completion.
 */
export function choose(
  service: Service,
  request: SamplingRequest,
  options: ChoiceOptions,
  place: { seed: number; stream: number; signal: AbortSignal },
): AsyncGenerator<ChoicePart, void> {
  const { tokenizer, session, metrics } = service
  const { echo = false, logprobs, maxTokens } = options
  let events: ReturnType<ServingSession['submit']>
  try {
    events = session.submit(
      {
        tokens: options.ids,
        maxNewTokens: maxTokens,
        stopTokens: Int32Array.from(tokenizer.eosIds),
        temperature: request.temperature ?? 1,
        topP: request.top_p ?? 1,
        topK: Math.max(0, request.top_k ?? 0),
        minP: request.min_p ?? 0,
        seed: place.seed,
        stream: place.stream,
        ...(logprobs === undefined && maxTokens > 0 ? {} : { logprobs: logprobs ?? 0 }),
        ...((echo && logprobs !== undefined) || maxTokens === 0 ? { promptLogprobs: true } : {}),
      },
      { signal: place.signal },
    )
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_INVALID_ARGUMENT')
      throw new HttpError(400, messageOf(error), 'invalid_value')
    throw error
  }
  metrics.promptTokens(options.ids.length)
  return parts(service, options, events)
}

async function* parts(
  { tokenizer, metrics }: Service,
  { stops }: ChoiceOptions,
  events: ReturnType<ServingSession['submit']>,
): AsyncGenerator<ChoicePart, void> {
  const text = new StoppingText(tokenizer, stops)
  for await (const event of events) {
    if (event.kind === 'finish') {
      const rest = text.end()
      yield { kind: 'end', text: rest, reason: text.stopped ? 'stop' : event.reason }
      return
    }
    if (event.kind === 'prompt') {
      yield { kind: 'prompt', served: event, text: '' }
      continue
    }
    metrics.generatedToken()
    yield { kind: 'token', served: event, text: text.push(event.token) }
    if (text.stopped) {
      // Leaving the loop cancels the rest of the completion.
      yield { kind: 'end', text: '', reason: 'stop' }
      return
    }
  }
}
