/** The routes: who may come in, how much, and for how long. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { z } from 'zod'
import { messageOf } from '../errors.ts'
import { parseForeignJson } from '../foreign-json.ts'
import { chat } from './chat.ts'
import { completions } from './completions.ts'
import { HttpError, invalid } from './errors.ts'
import { events, type Reply, whole } from './reply.ts'
import { chatRequest, completionRequest } from './schema.ts'
import type { Service } from './service.ts'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Compares digests, so that the time taken tells nothing of the key, its length included. */
function authorized(service: Service, header: string | undefined): boolean {
  if (service.apiKey === null) return true
  const given = /^Bearer (.+)$/i.exec(header ?? '')?.[1] ?? ''
  return timingSafeEqual(digest(given), digest(service.apiKey))
}

async function bodyOf<S extends z.ZodType>(c: Context, schema: S): Promise<z.infer<S>> {
  let json: unknown
  try {
    // Text in another encoding (EUC-KR) would otherwise become a question of replacement characters.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await c.req.arrayBuffer())
    json = parseForeignJson(text)
  } catch (error) {
    throw new HttpError(400, `the body is no JSON: ${messageOf(error)}`, 'invalid_json')
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw invalid(parsed.error)
  return parsed.data
}

interface Streaming {
  model?: string | undefined
  stream?: boolean | null | undefined
  stream_options?: { include_usage?: boolean | undefined } | null | undefined
}

/** Parses, computes and answers one request; in every outcome it is counted and let go once. */
async function respond<S extends z.ZodType<Streaming>>(
  c: Context,
  service: Service,
  schema: S,
  compute: (service: Service, request: z.infer<S>, signal: AbortSignal) => Reply,
): Promise<Response> {
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1000
  const controller = new AbortController()
  setMaxListeners(0, controller.signal) // one for each choice
  const abort = (): void => controller.abort(new HttpError(499 as 400, 'the client went away'))
  const overdue = setTimeout(() => {
    const message = `the request took longer than ${service.limits.timeout} s`
    controller.abort(new HttpError(408, message, 'timeout'))
  }, service.limits.timeout * 1000)
  const leave = (): void =>
    controller.abort(new HttpError(503, 'the server is going down', 'shutdown'))
  const client = c.req.raw.signal
  client.addEventListener('abort', abort, { once: true })
  service.shutdown.addEventListener('abort', leave, { once: true })
  service.inFlight++
  let over = false
  const ended = (status: number | 'cancelled'): void => {
    if (over) return
    over = true
    service.inFlight--
    clearTimeout(overdue)
    client.removeEventListener('abort', abort)
    service.shutdown.removeEventListener('abort', leave)
    service.metrics.request(c.req.path, client.aborted ? 'cancelled' : status, seconds())
  }
  let first = true
  const onToken = (): void => {
    if (first) service.metrics.firstToken(seconds())
    first = false
  }
  try {
    if (service.draining) throw new HttpError(503, 'the server is going down', 'shutdown')
    const request = await bodyOf(c, schema)
    if (request.model !== undefined && request.model !== service.modelName)
      throw new HttpError(
        404,
        `the model ${JSON.stringify(request.model)} is not served here; it is ${JSON.stringify(service.modelName)}`,
        'model_not_found',
        'model',
      )
    const reply = compute(service, request, controller.signal)
    if (request.stream) {
      const includeUsage = request.stream_options?.include_usage ?? false
      const body = events(service, reply, { includeUsage, onToken, abort, ended })
      return new Response(body, {
        headers: {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-cache',
        },
      })
    }
    const result = await whole(service, reply, onToken)
    ended(200)
    return c.json(result)
  } catch (error) {
    abort()
    ended(error instanceof HttpError ? error.status : 500)
    throw error
  }
}

export function makeApp(service: Service): Hono {
  const app = new Hono()
  app.onError((error, c) => {
    const http = error instanceof HttpError ? error : new HttpError(500, messageOf(error))
    if (http.status === 429) c.header('retry-after', '1')
    return c.json(http.body(), http.status)
  })
  app.notFound(c => {
    const error = new HttpError(404, `there is no ${c.req.method} ${c.req.path} here`, 'not_found')
    return c.json(error.body(), 404)
  })
  app.get('/health', c =>
    service.draining ? c.json({ status: 'draining' }, 503) : c.json({ status: 'ok' }),
  )
  app.use('*', async (c, next) => {
    if (!authorized(service, c.req.header('authorization')))
      throw new HttpError(401, 'the API key is missing or wrong', 'invalid_api_key')
    await next()
  })
  app.get('/metrics', c =>
    c.text(service.metrics.text(service.session.stats), 200, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  )
  const model = {
    id: service.modelName,
    object: 'model',
    created: service.created,
    owned_by: 'kogrpo',
    max_model_len: service.limits.contextTokens,
  }
  app.get('/v1/models', c => c.json({ object: 'list', data: [model] }))
  app.get('/v1/models/:name{.+}', c => {
    if (c.req.param('name') === service.modelName) return c.json(model)
    throw new HttpError(404, 'there is no such model here', 'model_not_found')
  })
  const limited = bodyLimit({
    maxSize: service.limits.bodyBytes,
    onError: c => {
      const message = `the body is larger than ${service.limits.bodyBytes} bytes`
      service.metrics.request(c.req.path, 413, 0)
      return c.json(new HttpError(413, message, 'body_too_large').body(), 413)
    },
  })
  app.post('/v1/completions', limited, c => respond(c, service, completionRequest, completions))
  app.post('/v1/chat/completions', limited, c => respond(c, service, chatRequest, chat))
  return app
}
