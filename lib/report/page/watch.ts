/**
 * `kogrpo report --watch`: serves the page of runs that are still under way on the loopback address.
 * The page asks every few seconds for the data; it is made anew when a file has changed since, else
 * the answer is 304. Only the two paths below exist, nothing is read from the request but its tag,
 * and a request under a foreign host name (DNS rebinding) is refused.
 */
import { statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KogrpoError, messageOf } from '../../errors.ts'
import type { Language } from '../../messages/language.ts'
import { failure, phrase } from '../../messages/phrase.ts'
import { runDirectory } from '../run-directory.ts'
import { packRuns, reportPage } from './page.ts'
import { readRun } from './run-data.ts'

interface WatchOptions {
  /** Port on the loopback address; 0: one that is free. */
  port: number
  maxCompletions: number
  language: Language
  signal: AbortSignal
  onListening(address: string): void
}

/** Serves until the signal aborts. Errors: `E_REPORT` when the port cannot be had. */
export async function watchRuns(paths: readonly string[], options: WatchOptions): Promise<void> {
  const server = createServer((request, response) => {
    answer(paths, options, request, response).catch(error => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' })
      response.end(messageOf(error))
    })
  })
  await listen(server, options.port)
  const { port } = server.address() as AddressInfo
  options.onListening(`http://127.0.0.1:${port}/`)
  await new Promise<void>(resolve => {
    const stop = (): void => {
      server.close(() => resolve())
      server.closeAllConnections()
    }
    if (options.signal.aborted) stop()
    else options.signal.addEventListener('abort', stop, { once: true })
  })
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', cause =>
      reject(
        new KogrpoError(
          'E_REPORT',
          phrase('cannot listen on port {port}: {reason}', { port, reason: failure(cause) }),
          {
            cause,
          },
        ),
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
}

async function answer(
  paths: readonly string[],
  { maxCompletions, language }: WatchOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '')
  const known = request.url === '/' || request.url === '/data'
  if (!['127.0.0.1', 'localhost'].includes(host) || request.method !== 'GET' || !known) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found')
    return
  }
  const tag = `"${paths.map(fingerprint).join(' ')}"`
  if (request.url === '/data' && request.headers['if-none-match'] === tag) {
    response.writeHead(304).end()
    return
  }
  const runs = []
  for (const path of paths) runs.push(await readRun(path, maxCompletions))
  const [type, body] =
    request.url === '/'
      ? ['text/html; charset=utf-8', reportPage(runs, { live: '/data', language })]
      : ['text/plain', packRuns(runs)]
  response
    .writeHead(200, { 'content-type': type, etag: tag, 'cache-control': 'no-store' })
    .end(body)
}

/** Changes whenever a run has written something that the page shows. */
function fingerprint(path: string): string {
  const { metrics, completions, summary } = runDirectory(path)
  return [metrics, completions, summary]
    .map(file => {
      const stat = statSync(file, { throwIfNoEntry: false })
      return stat ? `${stat.size}-${stat.mtimeMs}` : '-'
    })
    .join(',')
}
