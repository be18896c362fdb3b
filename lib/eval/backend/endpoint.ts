/**
 * A model behind an OpenAI-compatible endpoint (kogrpo serve, vLLM, SGLang, llama.cpp …).
 *
 *   likelihoods   POST /completions with `echo` and `logprobs`: the prompt's own log-probs come back. How
 *                 many of its tokens are the context's is asked once a context; the rest is the
 *                 continuation, exactly as with the tokenizer at hand.
 *   samples       POST /chat/completions, one request a sample with seed + stream
 *
 * Transport errors, 408, 409, 425, 429 and 5xx are tried again; whatever remains is an error: an
 * evaluation with holes would be no evaluation.
 */
import * as z from 'zod'
import { KogrpoError, messageOf } from '../../errors.ts'
import { parseForeignJson, readForeignReply } from '../../foreign-json.ts'
import { joined, type Phrase, phrase } from '../../messages/phrase.ts'
import { post } from '../../post.ts'
import { isRetryable, LONGEST_WAIT_S, retryAfter } from '../../rewards/judge/endpoint.ts'
import { Places } from '../../rewards/judge/limits.ts'
import type { Ask, Backend, Control, Likelihood, Pair, Sample, Sampling } from './types.ts'
import { splitPair } from './types.ts'

export interface EndpointOptions {
  /** E.g. http://localhost:8000/v1. */
  base_url: string
  model: string
  key?: string | undefined
  timeout_s: number
  max_retries: number
  concurrency: number
  enableThinking?: boolean | undefined
  system?: string | undefined
  /** Seconds before the first further attempt; doubles each time. Default 1. */
  backoff_s?: number
}

const numbers = z.array(z.number().nullable())
const echoSchema = z.object({
  choices: z
    .array(
      z.object({
        logprobs: z.object({
          token_logprobs: numbers,
          top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.int().positive() }),
})
const chatSchema = z.object({
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({
          content: z.string().nullish(),
          reasoning_content: z.string().nullish(),
          reasoning: z.string().nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ completion_tokens: z.int().nonnegative() }).nullish(),
})

/** Bytes of a reply: the log-probs of the longest prompts have some of them. */
const LONGEST_REPLY = 1 << 26

export class EndpointBackend implements Backend {
  readonly description: string
  readonly #options: EndpointOptions
  readonly #places: Places

  constructor(options: EndpointOptions) {
    this.description = `${options.model} at ${options.base_url}`
    this.#options = options
    this.#places = new Places(options.concurrency)
  }

  async likelihoods(
    pairs: readonly Pair[],
    where: readonly string[],
    { signal }: Control,
  ): Promise<Likelihood[]> {
    const contexts = new Map<string, Promise<number>>()
    const lengthOf = (context: string, at: string): Promise<number> => {
      const known = contexts.get(context)
      if (known) return known
      const asked = this.#echo(context, at, signal).then(({ logprobs }) => logprobs.length)
      contexts.set(context, asked)
      return asked
    }
    return Promise.all(
      pairs.map(async (pair, i) => {
        const { context, continuation } = splitPair(pair)
        const [from, whole] = await Promise.all([
          lengthOf(context, where[i]!),
          this.#echo(context + continuation, where[i]!, signal),
        ])
        const values = whole.logprobs.slice(from)
        if (from === 0 || values.length === 0 || values.some(value => value === null)) {
          throw this.#error(
            phrase(
              '{where}: no log-probabilities of "{continuation}" came back; the endpoint must support "echo" with "logprobs"',
              { where: where[i]!, continuation },
            ),
          )
        }
        const tops = whole.top?.slice(from)
        return {
          logprob: values.reduce<number>((sum, value) => sum + value!, 0),
          tokens: values.length,
          greedy: tops
            ? tops.every((top, t) => top !== null && values[t]! >= Math.max(...Object.values(top)))
            : null,
        }
      }),
    )
  }

  async #echo(
    prompt: string,
    where: string,
    signal: AbortSignal | undefined,
  ): Promise<{
    logprobs: (number | null)[]
    top: (Record<string, number> | null)[] | null
  }> {
    const { model } = this.#options
    // Some servers refuse to write nothing; what is written is cut off by the prompt's length.
    const body = { model, prompt, max_tokens: 1, temperature: 0, echo: true, logprobs: 1 }
    const reply = await this.#post('/completions', body, echoSchema, where, signal)
    const { token_logprobs, top_logprobs } = reply.choices[0]!.logprobs
    const n = reply.usage.prompt_tokens
    return { logprobs: token_logprobs.slice(0, n), top: top_logprobs?.slice(0, n) ?? null }
  }

  async sample(
    asks: readonly Ask[],
    sampling: Sampling,
    { signal, onProgress }: Control,
  ): Promise<Sample[][]> {
    let written = 0
    return Promise.all(
      asks.map(ask =>
        Promise.all(
          ask.streams.map(async stream => {
            const sample = await this.#chat(ask, stream, sampling, signal)
            written += sample.tokens
            onProgress?.(written)
            return sample
          }),
        ),
      ),
    )
  }

  async #chat(
    { prompt, where }: Ask,
    stream: number,
    sampling: Sampling,
    signal: AbortSignal | undefined,
  ): Promise<Sample> {
    const { model, system, enableThinking } = this.#options
    const messages = [
      ...(system === undefined ? [] : [{ role: 'system', content: system }]),
      { role: 'user', content: prompt },
    ]
    const body = {
      model,
      messages,
      max_tokens: sampling.maxNewTokens,
      temperature: sampling.temperature,
      top_p: sampling.topP,
      // Not of the original protocol: sent only where they say something.
      ...(sampling.topK > 0 ? { top_k: sampling.topK } : {}),
      ...(sampling.minP > 0 ? { min_p: sampling.minP } : {}),
      ...(enableThinking === undefined
        ? {}
        : { chat_template_kwargs: { enable_thinking: enableThinking } }),
      seed: (sampling.seed + stream) % 2 ** 31,
    }
    const reply = await this.#post('/chat/completions', body, chatSchema, where, signal)
    const { message, finish_reason } = reply.choices[0]!
    const thinking = message.reasoning_content ?? message.reasoning ?? ''
    const content = message.content ?? ''
    const finish = finish_reason === 'length' ? 'length' : 'stop'
    // Servers that part the thinking from the answer give both back without its tags; one that was cut has no end.
    const end = finish === 'length' && content === '' ? '' : `\n</think>\n\n${content}`
    const text = thinking === '' ? content : `<think>\n${thinking.trim()}${end}`
    return { text, tokens: reply.usage?.completion_tokens ?? 0, logprob: null, finish }
  }

  async #post<T>(
    path: string,
    body: object,
    schema: z.ZodType<T>,
    where: string,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { max_retries, backoff_s = 1 } = this.#options
    return this.#places.run(async () => {
      for (let attempt = 0; ; attempt++) {
        const outcome = await this.#attempt(path, body, signal)
        if ('reply' in outcome) {
          const parsed = schema.safeParse(outcome.reply)
          if (parsed.success) return parsed.data
          const { path: at, message } = parsed.error.issues[0]!
          throw this.#error(
            phrase('{where}: {path}: the reply is not what it should be: {at}: {message}', {
              where,
              path,
              at: at.join('.'),
              message,
            }),
          )
        }
        const wait = outcome.after_s ?? Math.min(30, backoff_s * 2 ** attempt)
        if (!outcome.again || attempt >= max_retries || wait > LONGEST_WAIT_S) {
          const why =
            wait > LONGEST_WAIT_S
              ? phrase('{reason} (asks to wait {seconds} s)', {
                  reason: outcome.failed,
                  seconds: Math.round(wait),
                })
              : outcome.failed
          throw this.#error(joined([where, path, why], ': '))
        }
        await pause(wait, signal)
      }
    }, signal)
  }

  async #attempt(
    path: string,
    body: object,
    signal: AbortSignal | undefined,
  ): Promise<
    { reply: unknown } | { failed: string | Phrase; again: boolean; after_s: number | null }
  > {
    const { base_url, key, timeout_s } = this.#options
    const deadline = AbortSignal.timeout(Math.min(timeout_s * 1000, 0x7fff_ffff))
    const clean = (text: string): string => (key ? text.replaceAll(key, '[key]') : text)
    try {
      const response = await post(`${base_url.replace(/\/+$/, '')}${path}`, {
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify(body),
        signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
      })
      const text = clean(await readForeignReply(response.body, LONGEST_REPLY))
      if (!response.ok) {
        const again = isRetryable(response.status)
        const failed = `HTTP ${response.status}: ${text.slice(0, 300)}`
        return { failed, again, after_s: retryAfter(response.header('retry-after')) }
      }
      try {
        return { reply: parseForeignJson(text) }
      } catch {
        return {
          failed: phrase('the reply is no JSON: {text}', { text: text.slice(0, 200) }),
          again: false,
          after_s: null,
        }
      }
    } catch (error) {
      signal?.throwIfAborted()
      const cause = error instanceof Error && error.cause ? `: ${messageOf(error.cause)}` : ''
      const failed = deadline.aborted
        ? phrase('no reply within {seconds} s', { seconds: timeout_s })
        : clean(`${messageOf(error)}${cause}`)
      return { failed, again: true, after_s: null }
    }
  }

  #error(problem: Phrase): KogrpoError {
    return new KogrpoError(
      'E_ENDPOINT',
      joined([`--endpoint ${this.#options.base_url}`, problem], ': '),
    )
  }

  async close(): Promise<void> {}
}

function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal!.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, seconds * 1000)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
