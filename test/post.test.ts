/** A POST waits as long as its signal lets it, whatever the socket thinks of an idle connection. */
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { readForeignReply } from '../lib/foreign-json.ts'
import { post } from '../lib/post.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
})

async function serve(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

const letter = (signal = new AbortController().signal) => ({
  ...{ headers: { 'content-type': 'application/json' }, body: '{"질문": 1}', signal },
})

test('the body arrives whole, the reply comes back with status and headers', async () => {
  const url = await serve(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { method, headers } = request
    response.writeHead(429, { 'Retry-After': '7' })
    response.end(`${method} ${headers['content-type']} ${Buffer.concat(parts)}`)
  })
  const reply = await post(url, letter())
  expect([reply.status, reply.ok]).toEqual([429, false])
  expect([reply.header('retry-after'), reply.header('x')]).toEqual(['7', null])
  expect(await readForeignReply(reply.body, 99)).toBe('POST application/json {"질문": 1}')
})

test('a connection on which nothing has come for long is waited for', async () => {
  const sent: ClientRequest[] = []
  const onStart = (message: unknown): void =>
    void sent.push((message as { request: ClientRequest }).request)
  diagnostics.subscribe('http.client.request.start', onStart)
  let asked: (response: ServerResponse) => void = () => {}
  const waiting = new Promise<ServerResponse>(resolve => {
    asked = resolve
  })
  const url = await serve((_, response) => asked(response))
  const reply = post(url, letter())
  const response = await waiting
  diagnostics.unsubscribe('http.client.request.start', onStart)
  const socket = sent[0]!.socket!
  // As when its limit of idleness has passed.
  socket.emit('timeout')
  expect(socket.destroyed).toBe(false)
  response.end('late')
  expect(await readForeignReply((await reply).body, 99)).toBe('late')
})

test('the signal ends it, before the headers and behind them', async () => {
  const url = await serve((_, response) => void response.write('{'))
  const controller = new AbortController()
  const reply = await post(url, letter(controller.signal))
  controller.abort()
  await expect(readForeignReply(reply.body, 99)).rejects.toThrow('terminated')
  await expect(post(url, letter(controller.signal))).rejects.toThrow('fetch failed')
})

test('a redirect is an error that says where to', async () => {
  const url = await serve((_, response) => {
    response.writeHead(307, { location: 'http://elsewhere/' }).end()
  })
  const error = await post(url, letter()).catch((thrown: Error) => thrown)
  expect((error as Error).cause).toEqual(new Error('it redirects to http://elsewhere/'))
})

test('a kept connection that the server has closed meanwhile is no failure', async () => {
  const sockets = new Set<Socket>()
  let requests = 0
  const url = await serve((request, response) => {
    sockets.add(request.socket)
    // The second request on a connection meets its end.
    if (++requests === 2 && sockets.size === 1) request.socket.destroy()
    else response.end(String(requests))
  })
  expect(await readForeignReply((await post(url, letter())).body, 9)).toBe('1')
  expect(await readForeignReply((await post(url, letter())).body, 9)).toBe('3')
  expect(sockets.size).toBe(2)
})
