/** The server over real sockets, through the openai client and plain requests. */
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenModel } from '../../lib/cli/open-model.ts'
import { openModel } from '../../lib/cli/open-model.ts'
import { type RunningServer, startServer } from '../../lib/serve/server.ts'

const PROMPT = '사과 7개에 3개를 더하면'
const KEY = 'a secret'
let model: OpenModel
let server: RunningServer
let client: OpenAI

const options = {
  host: '127.0.0.1',
  port: 0,
  apiKey: KEY,
  modelName: 'mini',
  maxSequences: 8,
  prefillRows: 64,
  maxCacheBytes: 64 * 2 ** 20,
  limits: { maxTokens: 400, maxLive: 24, bodyBytes: 100_000, timeout: 60 },
}

beforeAll(async () => {
  model = await openModel({ model: 'builtin:mini', threads: 2 })
  server = await startServer(model, options)
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 })
})
afterAll(async () => {
  await server.close(0)
  await model.engine.dispose()
})

const post = (path: string, body: unknown, key = KEY): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

/** Log-probs of a whole sequence, as `kogrpo score` computes them. */
async function score(ids: number[]): Promise<number[]> {
  const tokens = Int32Array.from(ids)
  const batch = { tokens, cuSeqlens: Int32Array.of(0, ids.length) }
  return Array.from((await model.engine.score(batch)).logprobs)
}

test('completions: echo gives the log-probs of score, to the bit, for text and for ids', async () => {
  const ids = model.tokenizer.encode(PROMPT)
  for (const prompt of [PROMPT, ids, [ids]] as (string | number[])[]) {
    const reply = await client.completions.create({
      model: 'mini',
      prompt,
      echo: true,
      logprobs: 2,
      max_tokens: 5,
      temperature: 0,
    })
    const choice = reply.choices[0]!
    const { tokens, token_logprobs, top_logprobs, text_offset } = choice.logprobs!
    expect(tokens!.slice(0, ids.length).join('')).toBe(PROMPT)
    expect(choice.text.startsWith(PROMPT)).toBe(true)
    expect(reply.usage).toMatchObject({ prompt_tokens: ids.length })
    const generated = reply.usage!.completion_tokens
    expect(tokens).toHaveLength(ids.length + generated)
    expect(text_offset).toHaveLength(tokens!.length)
    const all = [...ids, ...tokens!.slice(ids.length).map(t => model.tokenizer.encode(t)[0]!)]
    const expected = await score(all)
    expect(token_logprobs![0]).toBeNull()
    expect(token_logprobs!.slice(1)).toEqual(expected.slice(1))
    // Greedy: each generated token is the likeliest.
    for (let t = ids.length; t < all.length; t++)
      expect(Math.max(...Object.values(top_logprobs![t]!))).toBe(token_logprobs![t])
  }
  const scored = await client.completions.create({
    model: 'mini',
    prompt: ids,
    echo: true,
    logprobs: 0,
    max_tokens: 0,
  })
  expect(scored.choices[0]!.logprobs!.token_logprobs!.slice(1)).toEqual((await score(ids)).slice(1))
})

test('a completion is the same streamed, in a batch, among n, and under load', async () => {
  const base = { model: 'mini', prompt: PROMPT, seed: 7, max_tokens: 60, temperature: 1 }
  const alone = (await client.completions.create(base)).choices[0]!.text
  const several = await client.completions.create({ ...base, prompt: ['하나 둘', PROMPT], n: 3 })
  expect(several.choices.map(c => c.index)).toEqual([0, 1, 2, 3, 4, 5])
  expect(several.choices[3]!.text).toBe(alone)
  expect(several.choices[4]!.text).not.toBe(alone)
  const load = Array.from({ length: 12 }, (_, i) =>
    client.completions.create({ ...base, prompt: `${PROMPT} ${i}`.repeat(1 + (i % 5)), seed: i }),
  )
  const stream = await client.completions.create({
    ...base,
    stream: true,
    stream_options: { include_usage: true },
  })
  let text = ''
  let usage: unknown
  for await (const chunk of stream) {
    text += chunk.choices[0]?.text ?? ''
    usage = chunk.usage ?? usage
  }
  expect(text).toBe(alone)
  expect(usage).toMatchObject({ prompt_tokens: model.tokenizer.encode(PROMPT).length })
  await Promise.all(load)
})

test('chat: template, thinking apart, log-probs of score; streamed alike', async () => {
  const messages = [{ role: 'user' as const, content: '3 더하기 4는?' }]
  const base = { model: 'mini', messages, seed: 3, max_tokens: 300, temperature: 0 }
  const reply = await client.chat.completions.create({ ...base, logprobs: true, top_logprobs: 2 })
  const choice = reply.choices[0]!
  const message = choice.message as { content: string; reasoning_content?: string }
  expect(message.reasoning_content!.length).toBeGreaterThan(0)
  expect(message.content).not.toContain('think>')
  const { ids } = model.template().renderChat(messages, { addGenerationPrompt: true })
  const told = choice.logprobs!.content!
  const bytes = told.map(t => t.bytes!)
  const sampled = model.tokenizer.encode(Buffer.from(bytes.flat()).toString())
  expect(sampled).toHaveLength(told.length)
  const expected = await score([...ids, ...sampled])
  expect(told.map(t => t.logprob)).toEqual(expected.slice(ids.length))
  expect(told.every(t => t.top_logprobs[0]!.logprob === t.logprob)).toBe(true)

  const stream = await client.chat.completions.create({ ...base, stream: true })
  const streamed = { reasoning_content: '', content: '' }
  for await (const chunk of stream) {
    const delta = chunk.choices[0]!.delta as { content?: string; reasoning_content?: string }
    streamed.reasoning_content += delta.reasoning_content ?? ''
    streamed.content += delta.content ?? ''
  }
  expect(streamed).toEqual({
    reasoning_content: message.reasoning_content,
    content: message.content,
  })
  const quiet = await post('/v1/chat/completions', {
    ...base,
    chat_template_kwargs: { enable_thinking: false },
  })
  const body = (await quiet.json()) as { choices: { message: object }[] }
  expect(body.choices[0]!.message).not.toHaveProperty('reasoning_content')
})

test('a stop string ends the completion before it, and is found across tokens', async () => {
  const base = { model: 'mini', prompt: PROMPT, seed: 1, max_tokens: 80 }
  const full = (await client.completions.create(base)).choices[0]!.text
  const stop = full.slice(20, 24)
  const cut = await client.completions.create({ ...base, stop })
  expect(cut.choices[0]).toMatchObject({
    text: full.slice(0, full.indexOf(stop)),
    finish_reason: 'stop',
  })
})

test('what is not supported, wrong or too much is refused by name', async () => {
  const refuse = async (body: unknown, status: number, words: RegExp): Promise<void> => {
    const reply = await post('/v1/completions', body)
    const text = await reply.text()
    expect({ status: reply.status, text }).toEqual({ status, text: expect.stringMatching(words) })
    expect(JSON.parse(text)).toHaveProperty('error.message')
  }
  await refuse('{"prompt": ', 400, /no JSON/)
  await refuse({ prompt: 'x', frequency_penalty: 0.5 }, 400, /frequency_penalty.*not supported/)
  await refuse({ prompt: 'x', max_new_tokens: 5 }, 400, /max_new_tokens/)
  await refuse({ prompt: 'x', temperature: -1 }, 400, /temperature/)
  await refuse({ prompt: '' }, 400, /empty/)
  await refuse({ prompt: [1, 5000] }, 400, /5000/)
  await refuse({ prompt: 'x', model: 'other' }, 404, /other/)
  await refuse({ prompt: 'x', max_tokens: 512 }, 400, /context/)
  await refuse({ prompt: 'x', max_tokens: 450 }, 400, /at most 400/)
  await refuse({ prompt: 'x', n: 100 }, 400, /at most 24/)
  await refuse({ prompt: 'x'.repeat(100_001) }, 413, /100000/)
  expect((await post('/v1/completions', { prompt: 'x' }, 'wrong')).status).toBe(401)
  expect((await fetch(`${server.url}/v1/models`)).status).toBe(401)
  expect((await post('/v1/embeddings', {})).status).toBe(404)
  expect((await client.models.list()).data.map(m => m.id)).toEqual(['mini'])
  expect(await (await fetch(`${server.url}/health`)).json()).toEqual({ status: 'ok' })
})

const metric = async (name: string): Promise<number> => {
  const headers = { authorization: `Bearer ${KEY}` }
  const text = await (await fetch(`${server.url}/metrics`, { headers })).text()
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)![1])
}

test('a full queue answers 429; a client that leaves frees its place at once', async () => {
  // The engine is busy for a while, so that what is submitted stays live.
  const busy = model.engine.generate(
    Array.from({ length: 16 }, (_, stream) => ({
      tokens: Int32Array.of(1),
      maxNewTokens: 500,
      stream,
    })),
  )
  const long = { prompt: PROMPT, max_tokens: 400, temperature: 1, n: 20, stream: true }
  const controller = new AbortController()
  const stream = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(long),
    signal: controller.signal,
  })
  const full = await post('/v1/completions', { prompt: 'x', n: 24, max_tokens: 1 })
  expect(full.status).toBe(429)
  expect(full.headers.get('retry-after')).toBe('1')
  controller.abort()
  await expect(stream.text()).rejects.toThrow()
  await expect
    .poll(async () => (await post('/v1/completions', { prompt: 'x', n: 24, max_tokens: 1 })).status)
    .toBe(200)
  await busy
  expect(await metric('kogrpo_cache_pages_used')).toBe(0)
  expect(await metric('kogrpo_generated_tokens_total')).toBeGreaterThan(24)
})

test('a stream whose reader is slow and then leaves takes nothing else down', async () => {
  for (let i = 0; i < 5; i++) {
    const controller = new AbortController()
    const stream = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: PROMPT, max_tokens: 300, n: 8, stream: true }),
      signal: controller.signal,
    })
    const reader = stream.body!.getReader()
    await reader.read()
    controller.abort()
    await reader.read().catch(() => {})
  }
  expect((await post('/v1/completions', { prompt: 'x', max_tokens: 1 })).status).toBe(200)
})

test('a prompt as long as the context can be scored', async () => {
  const ids = Array.from(
    { length: model.engine.config.maxPositionEmbeddings },
    (_, i) => 5 + (i % 9),
  )
  const body = { prompt: ids, echo: true, logprobs: 0, max_tokens: 0 }
  const response = await post('/v1/completions', body)
  expect(response.status).toBe(200)
  const { choices } = (await response.json()) as {
    choices: { logprobs: { token_logprobs: (number | null)[] } }[]
  }
  expect(choices[0]!.logprobs.token_logprobs.slice(1)).toEqual((await score(ids)).slice(1))
  expect((await post('/v1/completions', { ...body, max_tokens: 1 })).status).toBe(400)
})

test('paths that are none are not counted, whatever comes with them', async () => {
  const response = await post('/v1/no%22such', 'x'.repeat(200_000))
  expect(response.status).toBe(404)
  const headers = { authorization: `Bearer ${KEY}` }
  const metrics = await (await fetch(`${server.url}/metrics`, { headers })).text()
  expect(metrics).not.toContain('such')
})
