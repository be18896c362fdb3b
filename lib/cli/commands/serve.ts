/** `kogrpo serve`: a model over HTTP, in OpenAI's protocol. */
import { basename, resolve } from 'node:path'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { failure, phrase } from '../../messages/phrase.ts'
import { type RunningServer, startServer } from '../../serve/server.ts'
import type { CliContext } from '../context.ts'
import { Interrupted, UsageError } from '../errors.ts'
import { runInterruptibly } from '../interrupt.ts'
import { readMemory } from '../memory.ts'
import { type ModelArguments, modelOptions, openModel } from '../open-model.ts'
import { nonEmpty, sharedOptions, wholeNumber } from '../options.ts'

interface ServeArguments extends ModelArguments {
  host?: string
  port?: number
  apiKey?: string
  servedModelName?: string
  maxSequences?: number
  prefillRows?: number
  maxQueue?: number
  maxTokens?: number
  maxBodyBytes?: number
  cacheBytes?: number
  timeout?: number
  grace?: number
  context: CliContext
}

/** Share of the available memory that keys and values may fill, and the most they take unasked. */
const CACHE_SHARE = 0.5
const CACHE_MOST = 16 * 2 ** 30
/** Addresses that this machine alone reaches. */
const LOOPBACK = /^(localhost|127\.[\d.]+|::1)$/

const number = (option: string, describe: string, minimum: number, maximum?: number) =>
  ({
    type: 'string',
    requiresArg: true,
    describe,
    coerce: wholeNumber(option, minimum, maximum),
  }) as const

async function handler(argv: ArgumentsCamelCase<ServeArguments>): Promise<void> {
  const { context, host = '127.0.0.1', port = 8000, maxSequences = 64, grace = 10 } = argv
  if (argv.model === undefined)
    throw new UsageError(phrase('required: a model directory or builtin:mini'))
  const apiKey = argv.apiKey ?? context.env.KOGRPO_API_KEY ?? null
  if (apiKey === '') throw new UsageError(phrase('KOGRPO_API_KEY is empty; unset it or give a key'))
  const model = await openModel(argv)
  const { config } = model.engine
  const page = 64 * config.numKvHeads * config.headDim * 2 * 4 * config.numLayers
  const most = maxSequences * Math.ceil(config.maxPositionEmbeddings / 64) * page
  const planned = Math.min(most, CACHE_MOST, Math.floor(readMemory().available * CACHE_SHARE))
  let server: RunningServer | undefined
  try {
    server = await startServer(model, {
      host,
      port,
      apiKey,
      modelName:
        argv.servedModelName ??
        (argv.model.startsWith('builtin:') ? argv.model : basename(resolve(argv.model))),
      maxSequences,
      prefillRows: argv.prefillRows ?? 128,
      maxCacheBytes: argv.cacheBytes ?? planned,
      limits: {
        maxTokens: argv.maxTokens ?? config.maxPositionEmbeddings,
        maxLive: maxSequences + (argv.maxQueue ?? 256),
        bodyBytes: argv.maxBodyBytes ?? 4 * 2 ** 20,
        timeout: argv.timeout ?? 600,
      },
    })
    if (apiKey === null && !LOOPBACK.test(host)) {
      const message = context.say(
        'nobody is asked for a key, and --host {host} lets other machines in: set KOGRPO_API_KEY, or leave --host out',
        { host },
      )
      context.stderr.write(`${context.say('warning: {message}', { message })}\n`)
    }
    context.stdout.write(
      `${context.say('serving {model} at {url}', { model: argv.model, url: `${server.url}/v1` })}\n`,
    )
    const interrupt = {
      onInterrupt: () =>
        context.stderr.write(
          `${context.say('finishing what is in hand (at most {grace} s; again to end now)', { grace })}\n`,
        ),
      message: () => phrase('the server has stopped'),
    }
    const served = runInterruptibly(context, interrupt, async signal => {
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
      await server?.close(grace)
      server = undefined
    })
    // To be stopped is how a server ends, and no failure: code 0.
    await served.catch(error => {
      if (!(error instanceof Interrupted)) throw error
      context.stderr.write(`${context.say(failure(error))}\n`)
    })
  } finally {
    await server?.close(0)
    await model.engine.dispose()
  }
}

export const command: CommandModule<object, ServeArguments> = {
  command: 'serve [model]',
  describe: "A model over HTTP, in OpenAI's protocol",
  builder: argv =>
    argv
      .usage(
        '$0 serve [MODEL] [options]\n\n' +
          'Serves /v1/completions, /v1/chat/completions, /v1/models, /health and /metrics. Completions\n' +
          'do not depend on what else is asked for at the same time. Stops on SIGTERM or Ctrl-C.',
      )
      .positional('model', {
        ...modelOptions.model,
        describe: 'A model directory, or builtin:mini',
      })
      .options({
        'base-model': modelOptions['base-model'],
        init: modelOptions.init,
        dtype: modelOptions.dtype,
      })
      .options({
        host: {
          type: 'string',
          requiresArg: true,
          describe: 'Address to listen on [default: 127.0.0.1, this machine only]',
          coerce: nonEmpty('host'),
        },
        port: number('port', 'Port (0: any) [default: 8000]', 0, 65535),
        'api-key': {
          type: 'string',
          requiresArg: true,
          describe: 'Key that clients must send (better: KOGRPO_API_KEY) [default: none]',
          coerce: nonEmpty('api-key'),
        },
        'served-model-name': {
          type: 'string',
          requiresArg: true,
          describe: "Name of the model [default: the directory's]",
          coerce: nonEmpty('served-model-name'),
        },
        'max-sequences': number(
          'max-sequences',
          'Completions running at once [default: 64]',
          1,
          65536,
        ),
        'prefill-rows': number(
          'prefill-rows',
          'Prompt tokens read per step [default: 128]',
          1,
          65536,
        ),
        'max-queue': number('max-queue', 'Completions that may wait [default: 256]', 0, 1_000_000),
        'max-tokens': number('max-tokens', "Longest completion [default: the model's context]", 1),
        'max-body-bytes': number('max-body-bytes', 'Largest request [default: 4 MiB]', 1),
        'cache-bytes': number('cache-bytes', 'Keys and values [default: half of what is free]', 1),
        timeout: number('timeout', 'Seconds a request may take [default: 600]', 1, 2_000_000),
        grace: number('grace', 'Seconds to finish requests when stopped [default: 10]', 0, 86_400),
      })
      .options(sharedOptions('seed', 'threads', 'device'))
      .example('$0 serve runs/r1/rl --port 8000', 'http://127.0.0.1:8000/v1') as never,
  handler,
}
