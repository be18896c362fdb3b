/** A response's choices, as one JSON object or as a stream of server-sent events. */
import { randomUUID } from 'node:crypto'
import { messageOf } from '../errors.ts'
import { HttpError } from './errors.ts'
import type { Service } from './service.ts'

export interface ReplyChunk {
  choice: object
  /** Generated tokens in it. */
  tokens: number
}

export interface Reply {
  id: string
  object: string
  chunkObject: string
  promptTokens: number
  choices: AsyncGenerator<ReplyChunk>[]
  /** The chunks of one choice as the whole choice. */
  merge(parts: object[]): object
}

/** Called when the response has ended, however. */
type Ended = (status: number | 'cancelled') => void

function usage(prompt: number, completion: number): object {
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  }
}

function head(service: Service, reply: Reply, object: string): object {
  const created = Math.floor(Date.now() / 1000)
  return { id: `${reply.id}-${randomUUID()}`, object, created, model: service.modelName }
}

/** Chunks of all choices as they come. */
async function* interleave(choices: AsyncGenerator<ReplyChunk>[]): AsyncGenerator<ReplyChunk> {
  const next = async (i: number) => ({ i, r: await choices[i]!.next() })
  const ask = (i: number): ReturnType<typeof next> => {
    const promise = next(i)
    // A choice may fail while the reader is not asking for more: the next race tells it.
    promise.catch(() => {})
    return promise
  }
  const waiting = new Map(choices.map((_, i) => [i, ask(i)]))
  while (waiting.size > 0) {
    const { i, r } = await Promise.race(waiting.values())
    if (r.done) waiting.delete(i)
    else {
      waiting.set(i, ask(i))
      yield r.value
    }
  }
}

export async function whole(service: Service, reply: Reply, onToken: () => void): Promise<object> {
  let tokens = 0
  const choices = await Promise.all(
    reply.choices.map(async choice => {
      const parts: object[] = []
      for await (const chunk of choice) {
        if (chunk.tokens > 0) onToken()
        tokens += chunk.tokens
        parts.push(chunk.choice)
      }
      return reply.merge(parts)
    }),
  )
  return {
    ...head(service, reply, reply.object),
    choices,
    usage: usage(reply.promptTokens, tokens),
  }
}

/** The body of a text/event-stream response. `abort` ends the choices when the client goes away. */
export function events(
  service: Service,
  reply: Reply,
  options: { includeUsage: boolean; onToken(): void; abort(): void; ended: Ended },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const data = (value: object | string): Uint8Array =>
    encoder.encode(`data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`)
  const common = head(service, reply, reply.chunkObject)
  const nothing = options.includeUsage ? { usage: null } : {}
  const source = interleave(reply.choices)
  let tokens = 0
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value, done } = await source.next()
        if (!done) {
          if (value.tokens > 0) options.onToken()
          tokens += value.tokens
          controller.enqueue(data({ ...common, choices: [value.choice], ...nothing }))
          return
        }
        if (options.includeUsage)
          controller.enqueue(
            data({ ...common, choices: [], usage: usage(reply.promptTokens, tokens) }),
          )
        controller.enqueue(data('[DONE]'))
        options.ended(200)
      } catch (error) {
        options.abort()
        const http = error instanceof HttpError ? error : new HttpError(500, messageOf(error))
        controller.enqueue(data(http.body()))
        options.ended(http.status)
      }
      controller.close()
    },
    cancel() {
      options.abort()
      options.ended('cancelled')
    },
  })
}
