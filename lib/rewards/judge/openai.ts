/**
 * A judge behind any OpenAI-compatible chat endpoint. Temperature 0 and a seed; a limit on calls in
 * flight; a deadline per attempt that covers the body as well; bounded retries with exponential
 * back-off and jitter on transport errors, 408, 409, 425, 429 and 5xx, honouring Retry-After up to a
 * limit. Whatever remains is a failed verdict with its reason, never an exception: a judge that is
 * down must not end or bend a run by itself. Cancellation through the signal does reject.
 *
 * The key is read from an environment variable named in the recipe, and appears in no message.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { KogrpoError, messageOf } from '../../errors.ts'
import { parseOptions } from '../options.ts'
import type { Judge, JudgeItem, Verdict } from './types.ts'
import { excerpt, judgeMessages, parseVerdict } from './verdict.ts'

const schema = z.strictObject({
  /** E.g. http://localhost:8000/v1; `/chat/completions` is appended. */
  base_url: z.url({ protocol: /^https?$/ }),
  model: z.string().min(1),
  /** Name of the environment variable with the key; absent: no Authorization header. */
  api_key_env: z.string().min(1).optional(),
  timeout_s: z.number().positive().default(120),
  /** Attempts after the first. */
  max_retries: z.int().nonnegative().default(2),
  concurrency: z.int().positive().default(16),
  /** Tokens the judge may write, its thinking included. */
  max_tokens: z.int().positive().default(2048),
  seed: z.int().nonnegative().default(0),
  /** Replaces the grading instruction. */
  instruction: z.string().min(1).optional(),
})

export type OpenAiJudgeOptions = z.input<typeof schema>
type Resolved = z.output<typeof schema>

const RETRYABLE = new Set([408, 409, 425, 429])
const LONGEST_WAIT_S = 30
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
})

/**
 * Makes the judge. `environment` supplies the key (default `process.env`).
 * Throws `E_CONFIG` for bad options and for a named variable that is not set.
 */
export function openAiJudge(
  options: OpenAiJudgeOptions,
  environment: Record<string, string | undefined> = process.env,
): Judge {
  const resolved = parseOptions('judge openai', schema, options)
  const key = resolved.api_key_env === undefined ? undefined : environment[resolved.api_key_env]
  if (resolved.api_key_env !== undefined && !key) {
    throw new KogrpoError(
      'E_CONFIG',
      `judge openai: the environment variable ${resolved.api_key_env} (api_key_env) is not set`,
    )
  }
  return async (items, signal) => {
    const verdicts = new Array<Verdict>(items.length)
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < items.length) {
        const i = next++
        verdicts[i] = await judgeOne(resolved, key, items[i]!, signal)
      }
    }
    await Promise.all(Array.from({ length: Math.min(resolved.concurrency, items.length) }, worker))
    return verdicts
  }
}

/** The outcome of one attempt; `retry` with the seconds the server asked for, if it did. */
type Attempt = { done: Verdict } | { retry: string; after_s: number | null }

async function judgeOne(
  options: Resolved,
  key: string | undefined,
  item: JudgeItem,
  signal: AbortSignal | undefined,
): Promise<Verdict> {
  let reason = ''
  for (let attempt = 0; attempt <= options.max_retries; attempt++) {
    signal?.throwIfAborted()
    const outcome = await ask(options, key, item, signal)
    if ('done' in outcome) return outcome.done
    reason = outcome.retry
    if (attempt < options.max_retries) {
      // Full jitter around 1 s, 2 s, 4 s …; which moment it falls on changes no verdict.
      const backoff = Math.min(2 ** attempt, LONGEST_WAIT_S) * (0.5 + Math.random())
      await sleep(1000 * (outcome.after_s ?? backoff), undefined, { signal })
    }
  }
  return { failed: `${reason} (after ${options.max_retries + 1} attempts)` }
}

async function ask(
  options: Resolved,
  key: string | undefined,
  item: JudgeItem,
  signal: AbortSignal | undefined,
): Promise<Attempt> {
  const deadline = AbortSignal.timeout(options.timeout_s * 1000)
  let response: Response
  let body: string
  try {
    response = await fetch(`${options.base_url.replace(/\/+$/, '')}/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify({
        model: options.model,
        messages: judgeMessages(item, options.instruction),
        temperature: 0,
        seed: options.seed,
        max_tokens: options.max_tokens,
        stream: false,
      }),
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    })
    body = await readBounded(response)
  } catch (error) {
    signal?.throwIfAborted()
    if (deadline.aborted) return { retry: `no reply within ${options.timeout_s} s`, after_s: null }
    const cause = error instanceof Error && error.cause ? `: ${messageOf(error.cause)}` : ''
    return { retry: `${messageOf(error)}${cause}`, after_s: null }
  }
  if (!response.ok) {
    const reason = `HTTP ${response.status}: ${excerpt(body)}`
    return RETRYABLE.has(response.status) || response.status >= 500
      ? { retry: reason, after_s: retryAfter(response) }
      : { done: { failed: reason } }
  }
  return { done: readReply(body) }
}

function readReply(body: string): Verdict {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return { failed: `the reply is not JSON: ${excerpt(body)}` }
  }
  const reply = replySchema.safeParse(parsed)
  if (!reply.success) return { failed: `the reply is no chat completion: ${excerpt(body)}` }
  const choice = reply.data.choices[0]!
  if (choice.message.refusal) return { failed: `refused: ${excerpt(choice.message.refusal)}` }
  if (choice.finish_reason === 'length') return { failed: 'the reply was cut at max_tokens' }
  if (typeof choice.message.content !== 'string') return { failed: 'the reply has no text' }
  return parseVerdict(choice.message.content)
}

async function readBounded(response: Response): Promise<string> {
  if (response.body === null) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > LONGEST_BODY) throw new Error(`the reply exceeds ${LONGEST_BODY} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function retryAfter(response: Response): number | null {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return seconds >= 0 ? Math.min(seconds, LONGEST_WAIT_S) : null
}
