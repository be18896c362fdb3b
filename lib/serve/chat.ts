/** POST /v1/chat/completions: the model's chat template, thinking in `reasoning_content`. */
import type { Message } from '../data/chat-template.ts'
import type { ServedToken } from '../engine/serving.ts'
import { KogrpoError, messageOf } from '../errors.ts'
import { HttpError } from './errors.ts'
import type { Reply, ReplyChunk } from './reply.ts'
import type { ChatRequest } from './schema.ts'
import {
  type ChoicePart,
  choose,
  completionLength,
  requireRoom,
  type Service,
  seedOf,
  stopsOf,
} from './service.ts'
import { ReasoningSplitter, tokenName } from './text.ts'

/** Messages as the template knows them: parts joined, `developer` as the system's. */
function messagesOf(request: ChatRequest): Message[] {
  return request.messages.map(({ role, content, ...rest }) => ({
    ...rest,
    role: role === 'developer' ? 'system' : role,
    content: Array.isArray(content) ? content.map(({ text }) => text).join('') : (content ?? null),
  }))
}

function tokenLogprob({ tokenizer }: Service, served: ServedToken): object {
  return {
    ...tokenName(tokenizer, served.token),
    logprob: served.modelLogprob,
    top_logprobs: Array.from(served.topIds, (id, i) => ({
      ...tokenName(tokenizer, id),
      logprob: served.topLogprobs[i],
    })),
  }
}

async function* chunks(
  service: Service,
  request: ChatRequest,
  index: number,
  inside: boolean,
  stream: AsyncGenerator<ChoicePart, void>,
): AsyncGenerator<ReplyChunk> {
  const splitter = new ReasoningSplitter(inside)
  let role: { role?: string } = { role: 'assistant' }
  for await (const part of stream) {
    if (part.kind === 'prompt') continue
    const { reasoning, content } = splitter.push(part.text, part.kind === 'end')
    const delta = {
      ...role,
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
      ...(content === '' && role.role === undefined ? {} : { content }),
    }
    role = {}
    const logprobs =
      request.logprobs && part.kind === 'token'
        ? { content: [tokenLogprob(service, part.served)] }
        : null
    const finish_reason = part.kind === 'end' ? part.reason : null
    yield {
      choice: { index, delta, logprobs, finish_reason },
      tokens: part.kind === 'token' ? 1 : 0,
    }
  }
}

interface Chunk {
  index: number
  delta: { content?: string; reasoning_content?: string }
  logprobs: { content: object[] } | null
  finish_reason: string | null
}

function merge(parts: object[]): object {
  const all = parts as Chunk[]
  const { index, finish_reason } = all.at(-1) as Chunk
  const reasoning = all.map(({ delta }) => delta.reasoning_content ?? '').join('')
  const content = all.map(({ delta }) => delta.content ?? '').join('')
  const told = all.flatMap(({ logprobs }) => logprobs?.content ?? [])
  return {
    index,
    message: {
      role: 'assistant',
      content,
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    },
    logprobs: told.length > 0 ? { content: told } : null,
    finish_reason,
  }
}

export function chat(service: Service, request: ChatRequest, signal: AbortSignal): Reply {
  if ((request.top_logprobs ?? 0) > 0 && !request.logprobs)
    throw new HttpError(400, 'top_logprobs needs logprobs: true', 'invalid_value', 'top_logprobs')
  let text: string
  try {
    const enableThinking = request.chat_template_kwargs?.enable_thinking
    text = service.template().renderText(messagesOf(request), {
      addGenerationPrompt: true,
      ...(enableThinking === undefined ? {} : { enableThinking }),
    })
  } catch (error) {
    if (!(error instanceof KogrpoError)) throw error
    throw new HttpError(400, messageOf(error), 'invalid_value', 'messages')
  }
  const ids = Int32Array.from(service.tokenizer.encode(text))
  const n = request.n ?? 1
  requireRoom(service, n)
  const wanted = request.max_completion_tokens ?? request.max_tokens
  const maxTokens = completionLength(service, ids.length, wanted)
  const seed = seedOf(request)
  const inside = /<think>\s*$/.test(text)
  const logprobs = request.logprobs ? (request.top_logprobs ?? 0) : undefined
  const options = { ids, maxTokens, stops: stopsOf(request), logprobs }
  return {
    id: 'chatcmpl',
    object: 'chat.completion',
    chunkObject: 'chat.completion.chunk',
    promptTokens: ids.length,
    choices: Array.from({ length: n }, (_, g) =>
      chunks(
        service,
        request,
        g,
        inside,
        choose(service, request, options, { seed, stream: g, signal }),
      ),
    ),
    merge,
  }
}
