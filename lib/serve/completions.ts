/** POST /v1/completions: prompts as text or token ids, one or many; echo and log-probs. */
import type { ServedToken } from '../engine/serving.ts'
import { HttpError } from './errors.ts'
import type { Reply, ReplyChunk } from './reply.ts'
import type { CompletionRequest } from './schema.ts'
import {
  type ChoicePart,
  choose,
  completionLength,
  requireRoom,
  type Service,
  seedOf,
  stopsOf,
} from './service.ts'
import { tokenName } from './text.ts'

const DEFAULT_MAX_TOKENS = 16

interface LegacyLogprobs {
  tokens: string[]
  token_logprobs: (number | null)[]
  top_logprobs: (Record<string, number> | null)[]
  text_offset: number[]
}

function promptsOf(service: Service, prompt: CompletionRequest['prompt']): Int32Array[] {
  const { vocabSize } = service
  const list = typeof prompt === 'string' ? [prompt] : prompt
  const several = typeof list[0] === 'number' ? [list as number[]] : (list as (string | number[])[])
  return several.map((one, i) => {
    const ids = typeof one === 'string' ? service.tokenizer.encode(one) : one
    if (ids.length === 0)
      throw new HttpError(400, `prompt ${i} is empty`, 'invalid_value', 'prompt')
    const foreign = ids.find(id => id >= vocabSize)
    if (foreign !== undefined)
      throw new HttpError(
        400,
        `prompt ${i}: token id ${foreign} is outside the vocabulary of ${vocabSize}`,
        'invalid_value',
        'prompt',
      )
    return Int32Array.from(ids)
  })
}

/** Builds a choice's log-probs token by token. */
class Logprobs {
  readonly #service: Service
  readonly #top: number
  #offset = 0
  constructor(service: Service, top: number) {
    this.#service = service
    this.#top = top
  }

  empty(): LegacyLogprobs {
    return { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
  }

  /** `logprob` null: the first token of all, which nothing precedes. */
  add(to: LegacyLogprobs, id: number, served: ServedToken | null): void {
    const { tokenizer } = this.#service
    const { token } = tokenName(tokenizer, id)
    to.tokens.push(token)
    to.text_offset.push(this.#offset)
    this.#offset += token.length
    to.token_logprobs.push(served ? served.modelLogprob : null)
    if (!served || this.#top === 0) {
      to.top_logprobs.push(null)
      return
    }
    // Without a prototype: "constructor" is a token of Qwen3's.
    const top: Record<string, number> = Object.create(null)
    served.topIds.forEach((other, i) => {
      // Two ids may spell the same; the likelier one comes first.
      top[tokenName(tokenizer, other).token] ??= served.topLogprobs[i] as number
    })
    top[token] ??= served.modelLogprob
    to.top_logprobs.push(top)
  }
}

async function* chunks(
  service: Service,
  request: CompletionRequest,
  ids: Int32Array,
  index: number,
  stream: AsyncGenerator<ChoicePart, void>,
): AsyncGenerator<ReplyChunk> {
  const wanted = request.logprobs ?? undefined
  const logprobs = wanted === undefined ? null : new Logprobs(service, wanted)
  const echoed = request.echo ? service.tokenizer.decode(ids) : ''
  let pending = logprobs?.empty() ?? null
  if (request.echo && logprobs && pending) logprobs.add(pending, ids[0] as number, null)
  let prefix = echoed
  const choice = (text: string, reason: string | null): object => {
    const told = pending
    pending = logprobs?.empty() ?? null
    const whole = prefix + text
    prefix = ''
    return { index, text: whole, logprobs: told, finish_reason: reason }
  }
  for await (const part of stream) {
    if (part.kind === 'end') {
      yield { choice: choice(part.text, part.reason), tokens: 0 }
      return
    }
    if (logprobs && pending && (part.kind === 'token' || request.echo))
      logprobs.add(pending, part.served.token, part.served)
    if (part.kind === 'token') yield { choice: choice(part.text, null), tokens: 1 }
  }
}

function merge(parts: object[]): object {
  const all = parts as { text: string; logprobs: LegacyLogprobs | null }[]
  const last = all.at(-1) as object
  const join = <K extends keyof LegacyLogprobs>(key: K): unknown[] =>
    all.flatMap(({ logprobs }) => (logprobs?.[key] ?? []) as unknown[])
  const told = all[0]?.logprobs !== null
  return {
    ...last,
    text: all.map(({ text }) => text).join(''),
    logprobs: told
      ? {
          tokens: join('tokens'),
          token_logprobs: join('token_logprobs'),
          top_logprobs: join('top_logprobs'),
          text_offset: join('text_offset'),
        }
      : null,
  }
}

export function completions(
  service: Service,
  request: CompletionRequest,
  signal: AbortSignal,
): Reply {
  const prompts = promptsOf(service, request.prompt)
  const n = request.n ?? 1
  const wanted = request.max_tokens ?? DEFAULT_MAX_TOKENS
  if (wanted === 0 && !request.echo)
    throw new HttpError(400, 'max_tokens: 0 needs echo', 'invalid_value', 'max_tokens')
  requireRoom(service, prompts.length * n)
  for (const ids of prompts) completionLength(service, ids.length, wanted)
  const seed = seedOf(request)
  const choices = prompts.flatMap((ids, p) =>
    Array.from({ length: n }, (_, g) => {
      const options = {
        ids,
        maxTokens: wanted,
        stops: stopsOf(request),
        logprobs: request.logprobs ?? undefined,
        echo: request.echo ?? false,
      }
      // The stream of noise is the choice's place under its own prompt, whatever else is asked for.
      const parts = choose(service, request, options, { seed, stream: g, signal })
      return chunks(service, request, ids, p * n + g, parts)
    }),
  )
  return {
    id: 'cmpl',
    object: 'text_completion',
    chunkObject: 'text_completion',
    promptTokens: prompts.reduce((sum, ids) => sum + ids.length, 0),
    choices,
    merge,
  }
}
