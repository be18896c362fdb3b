/** A judge behind an endpoint in every kind of trouble: no verdict is ever invented. */
import { getEventListeners } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openAiJudge } from '../../../lib/rewards/judge/openai.ts'
import { applyOracle } from '../../../lib/rewards/judge/oracle.ts'
import {
  type FakeEndpoint,
  fakeEndpoint,
  fencedAnswer,
  type Handler,
  refuse,
  reply,
} from './fake-endpoint.ts'
import { FakeClock, item, openAiSpec, verdicts } from './testing.ts'

const endpoints: FakeEndpoint[] = []
afterEach(() => {
  for (const endpoint of endpoints.splice(0)) endpoint.close()
})
const serve = async (handler: Handler): Promise<FakeEndpoint> => {
  const endpoint = await fakeEndpoint(handler)
  endpoints.push(endpoint)
  return endpoint
}

describe('openai judge', () => {
  it('asks at temperature 0 with a seed and reads the verdicts in order', async () => {
    const { base_url, requests } = await serve(({ text, message }, response) => {
      expect(message.url).toBe('/v1/chat/completions')
      const right = fencedAnswer(text) === '12'
      const usage = { prompt_tokens: 90, completion_tokens: 8, total_tokens: 98 }
      const answer = (): void => reply(response, `{"verdict": ${right ? 1 : 0}}`, {}, usage)
      setTimeout(answer, right ? 30 : 0)
    })
    const judge = openAiJudge(openAiSpec({ base_url, api_key_env: 'JUDGE_KEY', seed: 7 }), {
      JUDGE_KEY: 'secret',
    })
    const given = await Promise.all(['12', '13', '12'].map(answer => judge.judge(item(answer))))
    expect(given.map(({ verdict }) => verdict)).toEqual([1, 0, 1].map(verdict => ({ verdict })))
    expect(given[0]).toMatchObject({ requests: 1, tokens: { prompt: 90, completion: 8 } })
    expect(given[0]!.latency_s).toBeGreaterThan(0.02)
    expect(requests[0]!.body).toMatchObject({ model: 'm', temperature: 0, seed: 7, stream: false })
    expect(requests[0]!.message.headers.authorization).toBe('Bearer secret')
    expect(judge.description).toBe(`openai (m at ${base_url})`)
  })

  it('retries 429 and 500 within bounds, then succeeds', async () => {
    const { base_url, requests } = await serve(({ count }, response) => {
      if (count === 1) refuse(response, 429)
      else if (count === 2) refuse(response, 500)
      else reply(response, '{"verdict": 1}')
    })
    const judge = openAiJudge(openAiSpec({ base_url, max_retries: 2 }))
    expect(await judge.judge(item('12'))).toMatchObject({ verdict: { verdict: 1 }, requests: 3 })
    expect(requests.length).toBe(3)
  })

  it('waits by the seed, or as Retry-After says; too long a wait is a failure', async () => {
    const waits = async (seed: number, handler: Handler): Promise<[number[], unknown]> => {
      const clock = new FakeClock()
      const { base_url } = await serve(handler)
      const judge = openAiJudge(openAiSpec({ base_url, seed, max_retries: 3 }), {}, clock)
      const { verdict } = await judge.judge(item('12'))
      return [clock.waits.map(ms => ms / 1000), verdict]
    }
    const down: Handler = (_, response) => void response.writeHead(503).end()
    const [first] = await waits(1, down)
    expect(first).toHaveLength(3)
    for (const [i, wait] of first.entries()) {
      expect(wait / 2 ** i).toBeGreaterThanOrEqual(0.5)
      expect(wait / 2 ** i).toBeLessThan(1.5)
    }
    expect((await waits(1, down))[0]).toEqual(first)
    expect((await waits(2, down))[0]).not.toEqual(first)
    const [asked] = await waits(1, ({ count }, response) =>
      count === 1 ? refuse(response, 429, '17') : reply(response, '{"verdict": 1}'),
    )
    expect(asked).toEqual([17])
    const [none, verdict] = await waits(1, (_, response) => refuse(response, 429, '3600'))
    expect(none).toEqual([])
    expect(verdict).toEqual({ failed: expect.stringMatching(/HTTP 429.*asks to wait 3600 s/) })
  })

  it('gives up after max_retries; client errors are not retried', async () => {
    const busy = await serve((_, response) => refuse(response, 503))
    const judge = openAiJudge(openAiSpec({ base_url: busy.base_url, max_retries: 1 }))
    expect(await judge.judge(item('12'))).toMatchObject({
      verdict: { failed: expect.stringMatching(/HTTP 503.*after 2 attempts/) },
    })
    expect(busy.requests.length).toBe(2)
    const denied = await serve((_, response) => refuse(response, 401))
    const other = openAiJudge(openAiSpec({ base_url: denied.base_url }))
    expect(await other.judge(item('12'))).toMatchObject({
      verdict: { failed: expect.stringMatching(/HTTP 401/) },
    })
    expect(denied.requests.length).toBe(1)
  })

  const chaos: [string, Handler, RegExp][] = [
    ['hangs', () => undefined, /no reply within 0.2 s/],
    ['hangs in the body', (_, response) => void response.write('{"cho'), /no reply within 0.2 s/],
    [
      'drops the connection',
      (_, response) => {
        response.destroy()
      },
      /fetch failed|terminated/,
    ],
    [
      'drops it in the body',
      (_, response) => {
        response.write('{"choices": [')
        setTimeout(() => response.destroy(), 10)
      },
      /terminated|aborted/,
    ],
    ['sends garbage', (_, response) => void response.end('<html>'), /not JSON/],
    [
      'streams garbage',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: {"verdict": 1}\n\n')
        response.end(Buffer.from([0xff, 0xfe, 0, 0x7b]))
      },
      /not JSON/,
    ],
    ['sends other JSON', (_, response) => void response.end('{"ok": true}'), /no chat completion/],
    ['sends a bare verdict', (_, r) => void r.end('{"verdict": 1}'), /no chat completion/],
    ['sends no text', (_, response) => reply(response, null), /no text/],
    [
      'is cut',
      (_, response) => reply(response, '{"verdict": 1}', { finish_reason: 'length' }),
      /cut/,
    ],
    [
      'filters',
      (_, response) => reply(response, '{"verdict": 1}', { finish_reason: 'content_filter' }),
      /filtered/,
    ],
    [
      'refuses',
      (_, response) => reply(response, null, { message: { content: null, refusal: 'I cannot' } }),
      /refused/,
    ],
    ['refuses in words', (_, response) => reply(response, 'I cannot do that.'), /no \{"verdict"/],
    [
      'redirects',
      (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
      /fetch failed|redirect/,
    ],
    [
      'floods',
      (_, response) => {
        response.end('x'.repeat((1 << 20) + 1))
      },
      /exceeds/,
    ],
  ]
  for (const [title, handler, reason] of chaos) {
    it(`an endpoint that ${title} leaves the checker's values`, async () => {
      const { base_url } = await serve(handler)
      // Only those that hang wait for it; the others must not meet it on a busy machine.
      const timeout_s = title.startsWith('hangs') ? 0.2 : 60
      const judge = openAiJudge(openAiSpec({ base_url, timeout_s, max_retries: 0 }))
      const checker = [1, 0]
      const items = [item('12'), item('13')]
      const { samples, stats } = await applyOracle({ rule: 'override', judge, checker, items })
      expect(samples.map(sample => sample.final)).toEqual(checker)
      expect(samples.map(sample => sample.judge)).toEqual([null, null])
      expect(stats.failure_rate).toBe(1)
      expect(samples[0]!.failure).toMatch(reason)
    })
  }

  it('takes the last of two objects', async () => {
    const { base_url } = await serve((_, r) => reply(r, 'He says {"verdict": 1}. {"verdict": 0}'))
    expect(await verdicts(openAiJudge(openAiSpec({ base_url })), [item('13')])).toEqual([
      { verdict: 0 },
    ])
  })

  it('keeps to its concurrency', async () => {
    let open = 0
    let most = 0
    const { base_url, requests } = await serve((_, response) => {
      most = Math.max(most, ++open)
      setTimeout(() => {
        open--
        reply(response, '{"verdict": 0}')
      }, 20)
    })
    const judge = openAiJudge(openAiSpec({ base_url, concurrency: 3 }))
    const items = Array.from({ length: 10 }, () => item('1'))
    expect(await verdicts(judge, items)).toEqual(new Array(10).fill({ verdict: 0 }))
    expect(requests.length).toBe(10)
    expect(most).toBe(3)
  })

  it('keeps to its rates: the estimate of a request is corrected by the endpoint', async () => {
    const clock = new FakeClock()
    const usage = { prompt_tokens: 1, completion_tokens: 1 }
    const { base_url } = await serve((_, response) => reply(response, '{"verdict": 0}', {}, usage))
    const options = { base_url, tokens_per_minute: 3000, max_tokens: 2000, concurrency: 1 }
    await verdicts(openAiJudge(openAiSpec(options), {}, clock), Array(8).fill(item('1')))
    expect(clock.time).toBe(0)
    const few = openAiSpec({ base_url, requests_per_minute: 3 })
    await verdicts(openAiJudge(few, {}, clock), Array(8).fill(item('1')))
    expect(clock.time).toBe(120_000)
  })

  it('leaves a judge that is down alone, and comes back when it is up', async () => {
    const clock = new FakeClock()
    const endpoint = await serve((_, response) => refuse(response, 500))
    const { base_url, requests } = endpoint
    const options = { base_url, max_retries: 0, concurrency: 1, breaker_failures: 4 }
    const judge = openAiJudge(openAiSpec(options), {}, clock)
    const items = Array.from({ length: 10 }, () => item('1'))
    const failed = await verdicts(judge, items)
    expect(requests).toHaveLength(4)
    expect(failed.every(verdict => 'failed' in verdict)).toBe(true)
    expect(failed[9]).toEqual({ failed: expect.stringMatching(/^not asked: 4 attempts.*HTTP 500/) })
    endpoint.answer((_, response) => reply(response, '{"verdict": 1}'))
    expect(await verdicts(judge, items)).toEqual(failed.map(() => failed[9]))
    expect(requests).toHaveLength(4)
    clock.time += 30_000
    expect(await verdicts(judge, items)).toEqual(items.map(() => ({ verdict: 1 })))
    expect(requests).toHaveLength(14)
  })

  it('leaves it alone for breaker_cooldown_s', async () => {
    const clock = new FakeClock()
    const { base_url, requests } = await serve((_, response) => refuse(response, 500))
    const options = { base_url, max_retries: 0, breaker_failures: 1, breaker_cooldown_s: 7 }
    const judge = openAiJudge(openAiSpec(options), {}, clock)
    for (const [pause, asked] of [
      [0, 1],
      [6_900, 1],
      [100, 2],
      [6_999, 2],
      [1, 3],
    ] as const) {
      clock.time += pause
      await judge.judge(item('1'))
      expect(requests).toHaveLength(asked)
    }
  })

  it('cancellation rejects, also while waiting to retry', async () => {
    const { base_url } = await serve((_, response) => refuse(response, 503, '20'))
    const judge = openAiJudge(openAiSpec({ base_url }))
    const started = performance.now()
    await expect(judge.judge(item('1'), AbortSignal.timeout(100))).rejects.toThrow()
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it('leaves no listener behind and warns of none, however many wait', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error): number => warnings.push(warning)
    process.on('warning', listen)
    const { base_url } = await serve(({ count }, response) =>
      count <= 16 ? refuse(response, 503) : reply(response, '{"verdict": 1}'),
    )
    const { signal } = new AbortController()
    const judge = openAiJudge(openAiSpec({ base_url, max_retries: 16 }))
    const items = Array.from({ length: 40 }, () => item('1'))
    expect(await verdicts(judge, items, signal)).toEqual(items.map(() => ({ verdict: 1 })))
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', listen)
    expect(warnings).toEqual([])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('has one key for one content, wherever the model is served', () => {
    const key = (changes: object, answer = '12'): string =>
      openAiJudge(openAiSpec({ base_url: 'http://a/v1', ...changes })).keyOf(item(answer))
    expect(key({})).toMatch(/^[0-9a-f]{64}$/)
    expect(key({ base_url: 'http://b:1/v1', timeout_s: 1, max_tokens: 9 })).toBe(key({}))
    const others = [key({ model: 'n' }), key({ instruction: 'x' }), key({ seed: 1 }), key({}, '13')]
    expect(new Set([key({}), ...others]).size).toBe(5)
  })
})

describe('keys', () => {
  const secret = 'sk-very-secret-0123456789'
  const base_url = 'http://localhost:1/v1'

  it('come from the environment or from a file, and from nowhere else', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'kogrpo-key-')), 'key')
    writeFileSync(file, `${secret}\n`)
    const { base_url: url, requests } = await serve((_, r) => reply(r, '{"verdict": 1}'))
    await openAiJudge(openAiSpec({ base_url: url, api_key_file: file })).judge(item('1'))
    expect(requests[0]!.message.headers.authorization).toBe(`Bearer ${secret}`)
    const refusal = (options: object, environment = {}): string => {
      try {
        openAiJudge(openAiSpec({ base_url, ...options }), environment)
      } catch (error) {
        return String(error)
      }
      throw new Error('was not refused')
    }
    expect(refusal({ api_key_env: 'NO_KEY' })).toMatch(/variable NO_KEY \(api_key_env\) is not set/)
    expect(refusal({ api_key_file: `${file}x` })).toMatch(/keyx \(api_key_file\).*ENOENT/)
    expect(refusal({ api_key_file: file, api_key_env: 'K' })).toMatch(/both given/)
    writeFileSync(file, `${secret}\nAnd a second line\n`)
    const several = refusal({ api_key_file: file })
    expect(several).toMatch(/more than a key/)
    expect(several).not.toContain('secret')
    expect(() => openAiSpec({ base_url: `http://me:${secret}@host/v1` })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) }),
    )
    expect(() => openAiSpec({ base_url: `http://host/v1?key=${secret}` })).toThrow(/api_key_env/)
    expect(() => openAiSpec({ base_url, api_key: secret })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) }),
    )
  })

  it('appear in no failure, though the endpoint repeats them', async () => {
    const echoes: Handler[] = [
      ({ message }, r) => void r.writeHead(401).end(`bad ${message.headers.authorization}`),
      ({ message }, r) => reply(r, `You sent ${message.headers.authorization}`),
      ({ message }, r) => void r.end(`${message.headers.authorization}${'x'.repeat(108)}`),
    ]
    for (const echo of echoes) {
      const { base_url: url } = await serve(echo)
      const judge = openAiJudge(openAiSpec({ base_url: url, api_key_env: 'K', max_retries: 0 }), {
        K: secret,
      })
      const { verdict } = await judge.judge(item('1'))
      const failed = 'failed' in verdict ? verdict.failed : ''
      expect(failed).not.toBe('')
      expect(failed).not.toMatch(/secret|0123456789/)
      expect(judge.description).not.toContain(secret)
    }
  })
})
