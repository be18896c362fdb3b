/** `kogrpo serve` and `kogrpo report --watch` as processes see them: how they end, and who gets in. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { start, temporaryDirectory, writeModel } from './running.ts'

const KEY = 'canary-of-the-server-5c1e'

/** Waits until the command has printed its address. */
async function address(command: ReturnType<typeof start>): Promise<URL> {
  for (;;) {
    const found = /http:\/\/[\d.]+:\d+/.exec(command.said())
    if (found) return new URL(found[0])
    const ended = await Promise.race([
      command.done,
      new Promise<null>(resolve => setTimeout(() => resolve(null), 10)),
    ])
    if (ended) throw new Error(`it ended: ${ended.stderr}`)
  }
}

function serve(...options: string[]) {
  const model = writeModel(temporaryDirectory(), 'model', { max_position_embeddings: 100_000 })
  return start(['serve', model, '--init', 'random', '--port', '0', ...options], '', {
    KOGRPO_API_KEY: KEY,
  })
}

const complete = (url: URL, body: object, key = KEY): Promise<Response> =>
  fetch(new URL('/v1/completions', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ prompt: '하나', temperature: 1, seed: 1, ...body }),
  })

test('SIGTERM: streams in hand finish or end with an error in time, new requests are refused, code 0', async () => {
  const server = serve('--grace', '4')
  const url = await address(server)
  const [short, long] = await Promise.all(
    [20, 90_000].map(async max_tokens => {
      // The likeliest tokens of these weights go round in a circle without an end.
      const response = await complete(url, { max_tokens, stream: true, temperature: 0 })
      expect(response.status).toBe(200)
      const reader = response.body!.getReader()
      const { value } = await reader.read() // it has begun
      return { reader, text: new TextDecoder().decode(value) }
    }),
  )
  const began = performance.now()
  server.signals.emit('SIGTERM', 'SIGTERM')
  const refused = await complete(url, { max_tokens: 1 }).then(
    response => response.status,
    () => 'no connection',
  )
  expect([503, 'no connection']).toContain(refused)
  const rest = async ({ reader, text }: NonNullable<typeof short>): Promise<string> => {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return text
      text += new TextDecoder().decode(value)
    }
  }
  const [whole, cut] = await Promise.all([rest(short!), rest(long!)])
  expect(whole).toMatch(/"finish_reason":"(stop|length)"[\s\S]*data: \[DONE\]/)
  expect(cut).toContain('the server is going down')
  expect(cut).not.toContain('"finish_reason":"length"')
  const { code, stdout, stderr } = await server.done
  expect(code).toBe(0)
  expect(performance.now() - began).toBeLessThan(4000 + 6000)
  expect(stdout + stderr).not.toContain(KEY)
  await expect(fetch(new URL('/health', url))).rejects.toThrow()
})

/** A request by its bytes: fetch would tidy the path up. */
async function raw(url: URL, path: string, headers = ''): Promise<string> {
  return await new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(url.port), url.hostname, () => {
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: ${url.host}\r\n${headers}Connection: close\r\n\r\n`,
      )
    })
    socket.setEncoding('utf8').on('data', text => {
      answer += text
    })
    socket.on('close', () => resolve(answer)).on('error', reject)
  })
}

const PATHS = [
  ...[
    '/../../../etc/passwd',
    '/..%2f..%2f..%2fetc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '//etc/passwd',
  ],
  ...[
    '/..\\..\\etc\\passwd',
    '/v1/models/../../../etc/passwd',
    '/etc/passwd%00.html',
    'file:///etc/passwd',
  ],
  ...['/data/../../etc/passwd', '/report.html/../config.json', '/config.json', '/checkpoints/'],
]

test('no path leads to a file, and the key is wanted for every one', async () => {
  const server = serve()
  const url = await address(server)
  for (const path of PATHS) {
    const open = await raw(url, path)
    expect(open, path).toMatch(/^HTTP\/1\.1 (400|401)/)
    const known = await raw(url, path, `Authorization: Bearer ${KEY}\r\n`)
    expect(known, path).toMatch(/^HTTP\/1\.1 (400|404)/)
    expect(open + known).not.toContain('root:')
  }
  const wrong = [KEY.slice(1), KEY.slice(0, -1), `${KEY}x`, KEY.toUpperCase(), '', 'x'.repeat(8000)]
  for (const key of wrong) {
    const response = await complete(url, { max_tokens: 1 }, key)
    expect(response.status).toBe(401)
    expect(await response.text()).not.toContain(KEY)
  }
  server.signals.emit('SIGINT', 'SIGINT')
  expect((await server.done).code).toBe(0)
})

test('the report page is served to this machine alone, and shows two paths', async () => {
  const directory = join(temporaryDirectory(), 'run')
  mkdirSync(directory)
  writeFileSync(join(directory, 'config.json'), '{}')
  const page = start(['report', directory, '--watch'])
  const url = await address(page)
  expect(url.hostname).toBe('127.0.0.1')
  for (const path of PATHS) {
    const answer = await raw(url, path)
    expect(answer, path).toMatch(/^HTTP\/1\.1 (400|404)/)
    expect(answer).not.toContain('root:')
  }
  expect(await raw(url, '/')).toMatch(/^HTTP\/1\.1 200/)
  const elsewhere = Object.values(networkInterfaces())
    .flat()
    .find(entry => entry?.family === 'IPv4' && !entry.internal)
  if (elsewhere) {
    const outside = new URL(`http://${elsewhere.address}:${url.port}`)
    await expect(raw(outside, '/')).rejects.toThrow(/ECONNREFUSED/)
  }
  page.signals.emit('SIGTERM', 'SIGTERM')
  await page.done
})

test('a body in another encoding is refused, not read as replacement characters', async () => {
  const server = serve('--grace', '0')
  const url = await address(server)
  const euckr = Buffer.from([...Buffer.from('{"prompt": "'), 0xc7, 0xd1, ...Buffer.from('"}')])
  const response = await fetch(new URL('/v1/completions', url), {
    ...{ method: 'POST', headers: { authorization: `Bearer ${KEY}` }, body: euckr },
  })
  expect([response.status, await response.text()]).toEqual([
    400,
    expect.stringMatching(/the body is no JSON: .*not valid/),
  ])
  server.signals.emit('SIGTERM', 'SIGTERM')
  await server.done
})

test('a server that other machines reach, without a key, says so', async () => {
  const model = writeModel(temporaryDirectory(), 'open', {})
  const open = (host: string) =>
    start(['serve', model, '--init', 'random', '--port', '0', '--grace', '0', '--host', host])
  for (const [host, warned] of [
    ['127.0.0.1', false],
    ['0.0.0.0', true],
  ] as const) {
    const server = open(host)
    await address(server)
    server.signals.emit('SIGTERM', 'SIGTERM')
    const { code, stderr } = await server.done
    expect([code, stderr.includes('warning: nobody is asked for a key')]).toEqual([0, warned])
  }
})
