/**
 * A POST over HTTP whose only deadline is the caller's signal. Node's `fetch` gives up after 300 s without
 * headers, whatever its signal says, and a reply that is not streamed has none before the model has written
 * its last token: a judge or a policy that thinks for long never answered.
 */
import { Agent, type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps, Agent as SecureAgent } from 'node:https'

interface Letter {
  headers: Readonly<Record<string, string>>
  body: string
  signal: AbortSignal
}

export interface Reply {
  status: number
  /** 200 to 299. */
  ok: boolean
  header(name: string): string | null
  body: AsyncIterable<Uint8Array>
}

/** Idle connections are left before servers close them, which would meet the next request (uvicorn: 5 s). */
const IDLE = { keepAlive: true, timeout: 3000 }
const PLAIN = new Agent(IDLE)
const SECURE = new SecureAgent(IDLE)

function send(url: string, { headers, body, signal }: Letter): Promise<IncomingMessage> {
  const secure = new URL(url).protocol === 'https:'
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers, signal, agent: secure ? SECURE : PLAIN }
    const request = (secure ? overHttps : overHttp)(url, options, resolve)
    request.on('error', (cause: NodeJS.ErrnoException) => {
      // The server closed a kept connection just then: it has not seen the request.
      if (request.reusedSocket && cause.code === 'ECONNRESET') {
        send(url, { headers, body, signal }).then(resolve, reject)
      } else reject(new Error('fetch failed', { cause }))
    })
    request.end(body)
  })
}

/**
 * Sends `body` and waits for the reply's headers. Redirects are errors: a key must not follow to wherever an
 * endpoint points. Rejects with `Error` "fetch failed" and its cause, also when `signal` is aborted.
 */
export async function post(url: string, letter: Letter): Promise<Reply> {
  const message = await send(url, letter)
  const status = message.statusCode ?? 0
  const location = message.headers.location
  if (status >= 300 && status < 400 && location !== undefined) {
    message.destroy()
    throw new Error('fetch failed', { cause: new Error(`it redirects to ${location}`) })
  }
  return {
    status,
    ok: status >= 200 && status < 300,
    header: name => {
      const value = message.headers[name]
      return value === undefined ? null : String(value)
    },
    body: message,
  }
}
