/**
 * One attempt at an OpenAI-compatible chat endpoint: temperature 0, a seed, a deadline that covers the
 * body as well, a bound on the reply's size. The outcome is a verdict, a failure for good, or a failure
 * worth another attempt (transport errors, 408, 409, 425, 429 and 5xx) with the wait that Retry-After
 * asks for. Only cancellation throws. The key goes into one header; should a reply or an error repeat
 * it, it is taken out before anything else is done with the text.
 */
import { z } from 'zod'
import { messageOf } from '../../errors.ts'
import { parseForeignJson, readForeignReply } from '../../foreign-json.ts'
import { post, type Reply } from '../../post.ts'
import type { PromptMessage } from './prompt.ts'
import type { TokenUse, Verdict } from './types.ts'
import { excerpt } from './verdict.ts'

export interface EndpointOptions {
  /** `/chat/completions` is appended. */
  base_url: string
  model: string
  key: string | undefined
  timeout_s: number
  max_tokens: number
  seed: number
}

type Failed = { failed: string }

/** `T` is what the reply says. */
export type Attempt<T = Verdict> =
  | { verdict: T | Failed; retry: false; tokens: TokenUse | null }
  | { verdict: { failed: string }; retry: true; after_s: number | null; tokens: null }

const RETRYABLE = new Set([408, 409, 425, 429])
/** Seconds; a server that asks for a longer wait than this has refused. */
export const LONGEST_WAIT_S = 120
const LONGEST_BODY = 1 << 20

const replySchema = z.object({
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: z.unknown().optional(),
})

const usageSchema = z.object({
  prompt_tokens: z.int().nonnegative(),
  completion_tokens: z.int().nonnegative(),
})

/** Makes one request; `read` reads what the model says. Rejects when `signal` is aborted, and only then. */
export async function attempt<T>(
  options: EndpointOptions,
  messages: readonly PromptMessage[],
  signal: AbortSignal | undefined,
  read: (content: string) => T | Failed,
): Promise<Attempt<T>> {
  const { base_url, model, key, timeout_s, max_tokens, seed } = options
  signal?.throwIfAborted()
  const clean = (text: string): string => (key ? text.replaceAll(key, '[key]') : text)
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), Math.min(timeout_s * 1000, 0x7fff_ffff))
  const cancel = (): void => limit.abort()
  signal?.addEventListener('abort', cancel)
  let response: Reply
  let body: string
  try {
    response = await post(`${base_url.replace(/\/+$/, '')}/chat/completions`, {
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify({ model, messages, temperature: 0, seed, max_tokens, stream: false }),
      signal: limit.signal,
    })
    body = clean(await readForeignReply(response.body, LONGEST_BODY))
  } catch (error) {
    signal?.throwIfAborted()
    if (limit.signal.aborted) return again(`no reply within ${timeout_s} s`)
    const cause = error instanceof Error && error.cause ? `: ${messageOf(error.cause)}` : ''
    return again(clean(`${messageOf(error)}${cause}`))
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
  }
  if (!response.ok) {
    const reason = `HTTP ${response.status}: ${excerpt(body)}`
    return isRetryable(response.status)
      ? again(reason, retryAfter(response.header('retry-after')))
      : { verdict: { failed: reason }, retry: false, tokens: null }
  }
  return { ...readReply(body, read), retry: false }
}

/** Whether a reply of this status is worth another attempt. */
export function isRetryable(status: number): boolean {
  return RETRYABLE.has(status) || status >= 500
}

function again(reason: string, after_s: number | null = null): Attempt<never> {
  return { verdict: { failed: reason }, retry: true, after_s, tokens: null }
}

function readReply<T>(
  body: string,
  read: (content: string) => T | Failed,
): { verdict: T | Failed; tokens: TokenUse | null } {
  const failed = (reason: string, tokens: TokenUse | null = null) => ({
    verdict: { failed: reason },
    tokens,
  })
  let parsed: unknown
  try {
    parsed = parseForeignJson(body)
  } catch {
    return failed(`the reply is not JSON: ${excerpt(body)}`)
  }
  const reply = replySchema.safeParse(parsed)
  if (!reply.success) return failed(`the reply is no chat completion: ${excerpt(body)}`)
  const usage = usageSchema.safeParse(reply.data.usage)
  const tokens = usage.success
    ? { prompt: usage.data.prompt_tokens, completion: usage.data.completion_tokens }
    : null
  const { message, finish_reason } = reply.data.choices[0]!
  if (message.refusal) return failed(`refused: ${excerpt(message.refusal)}`, tokens)
  if (finish_reason === 'length') return failed('the reply was cut at max_tokens', tokens)
  if (finish_reason === 'content_filter') return failed('the reply was filtered', tokens)
  if (typeof message.content !== 'string') return failed('the reply has no text', tokens)
  return { verdict: read(message.content), tokens }
}

/** Seconds that a Retry-After header asks for, given in seconds or as a date (RFC 9110 10.2.3). */
export function retryAfter(header: string | null, now = Date.now()): number | null {
  if (header === null || header.trim() === '') return null
  const seconds = /^\d+(\.\d+)?$/.test(header.trim())
    ? Number(header)
    : (Date.parse(header) - now) / 1000
  return Number.isNaN(seconds) ? null : Math.max(0, seconds)
}
