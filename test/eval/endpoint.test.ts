import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EndpointBackend } from '../../lib/eval/backend/endpoint.ts'
import type { Sample } from '../../lib/eval/backend/types.ts'
import { thinkingMetrics } from '../../lib/eval/thinking.ts'

let respond: (response: ServerResponse) => void
let requests = 0
const server = createServer((request, response) => {
  requests++
  request.resume().on('end', () => respond(response))
})
beforeAll(() => new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => server.close())

async function ask(): Promise<Sample> {
  const { port } = server.address() as AddressInfo
  const backend = new EndpointBackend({
    base_url: `http://127.0.0.1:${port}/v1`,
    model: 'm',
    timeout_s: 60,
    max_retries: 3,
    concurrency: 1,
  })
  requests = 0
  const sampling = { temperature: 0, topP: 1, topK: 0, minP: 0, maxNewTokens: 8, seed: 0 }
  const asks = [{ prompt: '둘 더하기 둘은?', streams: [0], where: 'a.jsonl:1' }]
  return (await backend.sample(asks, sampling, {}))[0]![0]!
}

const reply = (message: object, finish_reason: string): void => {
  respond = response =>
    response.end(JSON.stringify({ choices: [{ message, finish_reason }], usage: null }))
}

describe('an endpoint', () => {
  // A day would be waited for, and 30 days, more milliseconds than a timer counts, not at all.
  test.each(['86400', '2592000'])('that asks to wait %s s has refused', async seconds => {
    respond = response => response.writeHead(429, { 'retry-after': seconds }).end('later')
    await expect(ask()).rejects.toThrow(
      `a.jsonl:1: /chat/completions: HTTP 429: later (asks to wait ${seconds} s)`,
    )
    expect(requests).toBe(1)
  })

  test('that parts the thinking from the answer: thinking that was cut is not closed', async () => {
    reply({ content: '4', reasoning_content: '둘 더하기 둘' }, 'stop')
    expect((await ask()).text).toBe('<think>\n둘 더하기 둘\n</think>\n\n4')
    reply({ content: null, reasoning_content: '둘 더하기' }, 'length')
    const cut = await ask()
    expect(cut).toMatchObject({ text: '<think>\n둘 더하기', finish: 'length' })
    expect(thinkingMetrics('', cut.text, null).thinks).toBe(false)
  })

  test('that says no JSON', async () => {
    respond = response => response.end('<html>')
    await expect(ask()).rejects.toThrow('/chat/completions: the reply is no JSON: <html>')
    respond = response => response.end('['.repeat(100_000) + ']'.repeat(100_000))
    await expect(ask()).rejects.toThrow('/chat/completions: the reply is no JSON: [[[')
  })
})
