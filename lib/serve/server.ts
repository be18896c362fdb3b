/** Opens the session and the port, and closes both in order. */
import { setMaxListeners } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import type { ChatTemplate } from '../data/chat-template.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { failure, phrase } from '../messages/phrase.ts'
import { makeApp } from './app.ts'
import { Metrics } from './metrics.ts'
import type { Service, ServiceLimits } from './service.ts'

interface ServerOptions {
  host: string
  /** 0: any free one. */
  port: number
  apiKey: string | null
  modelName: string
  maxSequences: number
  prefillRows: number
  maxCacheBytes: number
  limits: Omit<ServiceLimits, 'contextTokens'>
}

export interface RunningServer {
  url: string
  /** Refuses new requests, lets those in hand finish within `grace` seconds, aborts the rest. */
  close(grace: number): Promise<void>
}

const PAGE_TOKENS = 64

function listen(service: Service, host: string, port: number): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: makeApp(service).fetch, hostname: host, port }, () =>
      resolve(server),
    )
    server.once('error', error =>
      reject(
        new KogrpoError(
          'E_LISTEN',
          phrase('--host {host} --port {port}: cannot listen: {reason}; give another --port', {
            ...{ host, port, reason: failure(error) },
          }),
          { cause: error },
        ),
      ),
    )
  })
}

/** Serves a loaded model. The engine stays the caller's. */
export async function startServer(
  model: { engine: Engine; tokenizer: Tokenizer; template(): ChatTemplate },
  options: ServerOptions,
): Promise<RunningServer> {
  const { engine, tokenizer } = model
  const { host, port, limits, maxCacheBytes, maxSequences, prefillRows } = options
  const session = await engine.serve({
    maxCacheBytes,
    maxSequences,
    prefillRows,
    // Ids that the tokenizer does not have are never sampled.
    vocabLimit: tokenizer.size,
  })
  const down = new AbortController()
  setMaxListeners(0, down.signal) // one for each request
  const service: Service = {
    modelName: options.modelName,
    created: Math.floor(Date.now() / 1000),
    vocabSize: engine.config.vocabSize,
    tokenizer,
    template: model.template,
    session,
    metrics: new Metrics(),
    limits: {
      ...limits,
      contextTokens: Math.min(
        engine.config.maxPositionEmbeddings,
        session.stats.pages * PAGE_TOKENS,
      ),
    },
    apiKey: options.apiKey,
    inFlight: 0,
    draining: false,
    shutdown: down.signal,
  }
  let server: ServerType
  try {
    server = await listen(service, host, port)
  } catch (error) {
    await session.close()
    throw error
  }
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${name}:${address.port}`,
    async close(grace) {
      service.draining = true
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      const end = performance.now() + grace * 1000
      while (service.inFlight > 0 && performance.now() < end)
        await new Promise(resolve => setTimeout(resolve, 20))
      down.abort()
      await session.close()
      // Those whose requests were aborted get their answer; then every connection goes.
      await new Promise(resolve => setTimeout(resolve, 50))
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}
