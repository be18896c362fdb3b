/** Bodies, headers and paths of kogrpo serve, through its routes with an engine that answers at once. */
import assert from 'node:assert/strict'
import type { Tokenizer } from '../../../lib/data/tokenizer.ts'
import type { ServeRequest, ServingSession } from '../../../lib/engine/serving.ts'
import { makeApp } from '../../../lib/serve/app.ts'
import { Metrics } from '../../../lib/serve/metrics.ts'
import type { Service } from '../../../lib/serve/service.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, mutateJsonText, mutateText, type Random, WORDS } from '../mutate.ts'

const words = [
  ...WORDS,
  'stream',
  'n',
  'stop',
  'logprobs',
  'messages',
  'prompt',
  'max_tokens',
  'stream_options',
  'system',
]
const BODIES: [string, object][] = [
  [
    '/v1/completions',
    { model: 'm', prompt: 'hi', max_tokens: 3, echo: true, logprobs: 1, stop: ['x'] },
  ],
  [
    '/v1/completions',
    {
      prompt: [[1, 2], [3]],
      n: 2,
      temperature: 0.5,
      top_p: 0.9,
      seed: 1,
      stream: true,
      max_tokens: 2,
    },
  ],
  [
    '/v1/chat/completions',
    { messages: [{ role: 'user', content: 'hi' }], max_tokens: 3, logprobs: true, top_logprobs: 2 },
  ],
  [
    '/v1/chat/completions',
    {
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'x' }] },
        { role: 'user', content: 'q' },
      ],
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 2,
    },
  ],
]
const PATHS = [
  '/health',
  '/metrics',
  '/v1/models',
  '/v1/models/m',
  '/v1/models/../../etc/passwd',
  '/../../etc/passwd',
  '/v1/%2e%2e/%2e%2e/etc/passwd',
  '/assets/report/page.css',
]
const VOCABULARY = 64
const KEY = 'k-secret'

const tokenizer = {
  size: VOCABULARY,
  eosIds: [0],
  encode: (text: string) => Array.from(text.slice(0, 50), c => c.charCodeAt(0) % VOCABULARY),
  decode: (ids: ArrayLike<number>) => 'a'.repeat(ids.length),
  decodeStream: () => ({ push: () => 'a', end: () => '' }),
  bytesOf: (id: number) => Uint8Array.of(0x30 + (id % 10)),
} as unknown as Tokenizer

async function* answer(request: ServeRequest): AsyncGenerator<unknown> {
  const top = Math.max(0, request.logprobs ?? 0)
  const token = (kind: string) => ({
    ...{ kind, token: 5, logprob: -1, modelLogprob: -1 },
    topIds: new Int32Array(top).fill(5),
    topLogprobs: new Float32Array(top),
  })
  if (request.promptLogprobs) for (let i = 1; i < request.tokens.length; i++) yield token('prompt')
  for (let i = 0; i < Math.min(3, request.maxNewTokens); i++) yield token('token')
  yield { kind: 'finish', reason: 'length' }
}

function makeService(): Service {
  const session = { live: 0, stats: {}, submit: answer } as unknown as ServingSession
  return {
    ...{ modelName: 'm', created: 0, vocabSize: VOCABULARY, tokenizer, session },
    template: () => ({ renderText: (messages: unknown) => JSON.stringify(messages) }) as never,
    metrics: new Metrics(),
    limits: { contextTokens: 100, maxTokens: 50, maxLive: 8, bodyBytes: 10_000, timeout: 60 },
    ...{ apiKey: KEY, inFlight: 0, draining: false, shutdown: new AbortController().signal },
  }
}
const service = makeService()
const app = makeApp(service)

export const target: FuzzTarget = {
  name: 'http',
  make(random: Random) {
    if (random.chance(5))
      return {
        path: mutateText(
          random,
          random.pick(PATHS),
          ['../', '%2e%2e', '%00', '//', '\\', '?', '#', '%', 'm'],
          500,
        ),
        method: random.pick(['GET', 'HEAD', 'OPTIONS', 'PUT']),
        authorization: random.chance(3) ? undefined : `Bearer ${KEY}`,
      }
    const [path, seed] = random.pick(BODIES)
    const body = mutateJsonText(random, seed, words)
    return {
      path,
      method: 'POST',
      authorization: random.chance(12)
        ? mutateText(random, `Bearer ${KEY}`, ['Bearer ', ' '], 300).replace(/[^\x20-\x7e]/g, '')
        : `Bearer ${KEY}`,
      body: random.chance(4) ? mutateBytes(random, Buffer.from(body), 12_000) : body,
    }
  },
  async run({
    path,
    method,
    authorization,
    body,
  }: {
    path: string
    method: string
    authorization?: string
    body?: string | Buffer
  }) {
    let url: URL
    try {
      url = new URL(`http://127.0.0.1${path.startsWith('/') ? path : `/${path}`}`)
    } catch {
      return
    }
    const response = await app.fetch(
      new Request(url, {
        method,
        headers: authorization === undefined ? {} : { authorization },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
      }),
    )
    const text = await response.text()
    assert.ok(
      [200, 400, 401, 404, 413, 429].includes(response.status),
      `${response.status} ${text}`,
    )
    assert.ok(!text.includes(KEY) && !text.includes('root:'))
    if (response.status === 200 && url.pathname !== '/health')
      assert.equal(authorization?.trim().split(/\s+/)[1], KEY)
    assert.equal(service.inFlight, 0)
  },
}
