/** A chat endpoint on this machine that answers as a test tells it to. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { PromptMessage } from '../../../lib/rewards/judge/prompt.ts'

export interface Asked {
  body: { model: string; messages: PromptMessage[]; [key: string]: unknown }
  /** 1 for the first request. */
  count: number
  message: IncomingMessage
  /** What the user message says. */
  text: string
}

export type Handler = (asked: Asked, response: ServerResponse) => void

export interface FakeEndpoint {
  base_url: string
  requests: Asked[]
  /** Replaces the behaviour from now on. */
  answer(handler: Handler): void
  close(): void
}

export async function fakeEndpoint(handler: Handler): Promise<FakeEndpoint> {
  const requests: Asked[] = []
  let behaviour = handler
  const server = createServer((message, response) => {
    // What asks whether anybody is there at all is no request to the model.
    if (message.method === 'HEAD') return void response.writeHead(404).end()
    const chunks: Buffer[] = []
    message.on('data', chunk => chunks.push(chunk as Buffer))
    message.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Asked['body']
      const text = body.messages.findLast(({ role }) => role === 'user')!.content
      const asked = { body, count: requests.length + 1, message, text }
      requests.push(asked)
      behaviour(asked, response)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    answer: next => {
      behaviour = next
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Answers with a message; `extra` goes into the choice, `usage` beside it. */
export function reply(
  response: ServerResponse,
  content: unknown,
  extra: object = {},
  usage?: object,
): void {
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({ choices: [{ finish_reason: 'stop', message: { content }, ...extra }], usage }),
  )
}

export function refuse(response: ServerResponse, status: number, after = '0'): void {
  response.writeHead(status, { 'retry-after': after }).end('{"error": "busy"}')
}

/** The student answer between its fences, as a judge finds it; throws when the fence is not one. */
export function fencedAnswer(text: string): string {
  const nonce = /<answer-([0-9a-f]{16})>\n/.exec(text)![1]!
  const [, inside, ...more] = text.split(`\n<answer-${nonce}>\n`)
  const [answer, ...after] = inside!.split(`\n</answer-${nonce}>\n`)
  if (more.length > 0 || after.length !== 1) throw new Error('the fence is forged')
  return answer!
}
