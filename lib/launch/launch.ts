/**
 * Starts the ranks of this machine, serves the rendezvous store on the first one, and watches: output
 * goes to a file a rank and, prefixed, to the terminal; signals are passed on; when a rank fails the
 * others get some seconds to find out by themselves whom they miss, then they are ended, and the
 * first failure is shown last, where it is seen. With `maxRestarts` all ranks are started again from the
 * last saved state.
 *
 * Ranks get torchrun's variables (RANK, WORLD_SIZE, …), and KOGRPO_LAUNCH, which names the attempt
 * and says that the store is served.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { KogrpoError, messageOf } from '../errors.ts'
import { failure, type Phrase, phrase } from '../messages/phrase.ts'
import { type Print, RankErrors } from './rank-errors.ts'
import { StoreServer } from './store.ts'

interface LaunchOptions {
  /** Ranks on this machine. */
  nprocPerNode: number
  nnodes: number
  nodeRank: number
  /** Where the store of node 0 listens; null: a free port of this machine alone. */
  endpoint: { host: string; port: number } | null
  maxRestarts: number
  /** Directory of rank-<rank>.log. */
  logDirectory: string
  /** Program and first arguments of every rank. */
  program: string[]
  /** Arguments of an attempt, from 0. */
  argumentsOf(attempt: number): string[]
  env: Record<string, string | undefined>
  print: Print
  /** Seconds that the others have after a failure before they are asked to stop (default: 15); 5 more, and they are killed. */
  grace?: number
}

/** How a rank ended other than well. */
interface Failure {
  rank: number
  code: number | null
  signal: NodeJS.Signals | null
  /** The last lines of its standard error. */
  lines: string[]
}

/** "host:port". Throws `E_USAGE`. */
export function parseEndpoint(value: string): { host: string; port: number } {
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(value) ?? []
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new KogrpoError(
      'E_USAGE',
      phrase('--rdzv-endpoint is "{value}"; give host:port', { value }),
    )
  }
  return { host, port: Number(port) }
}

export class Launcher {
  readonly #options: LaunchOptions
  #children: ChildProcess[] = []
  #stopping: NodeJS.Signals | null = null
  /** Of this attempt. */
  #errors: RankErrors

  constructor(options: LaunchOptions) {
    this.#options = options
    this.#errors = this.#noErrors()
  }

  /** Passes a signal on to all ranks; nothing is started again afterwards. */
  signal(signal: NodeJS.Signals): void {
    this.#stopping = signal
    for (const child of this.#children) child.kill(signal)
  }

  /** Runs to the end; returns the exit code: that of the first rank that failed, or 0. */
  async run(): Promise<number> {
    const { endpoint, nodeRank, maxRestarts, logDirectory, print } = this.#options
    mkdirSync(logDirectory, { recursive: true })
    const { nprocPerNode: here, nnodes } = this.#options
    const started = { here, logs: join(logDirectory, 'rank-<n>.log') }
    print(
      null,
      nnodes === 1
        ? phrase('starting {here} ranks; what each prints is in {logs}', started)
        : phrase('starting {here} of {all} ranks; what each prints is in {logs}', {
            ...started,
            all: here * nnodes,
          }),
    )
    const port = endpoint?.port ?? 0
    const host = endpoint ? undefined : '127.0.0.1'
    const store = nodeRank === 0 ? await StoreServer.listen(host ? { port, host } : { port }) : null
    const address = endpoint ?? { host: '127.0.0.1', port: store!.port }
    try {
      for (let attempt = 0; ; attempt++) {
        if (this.#stopping) return exitCode({ code: null, signal: this.#stopping })
        const failed = await this.#attempt(attempt, address)
        if (!failed) return 0
        for (const line of this.#describe(failed, logDirectory)) print(null, line)
        if (this.#stopping || attempt >= maxRestarts) return exitCode(failed)
        print(
          null,
          phrase('starting again (restart {restart} of {most})', {
            restart: attempt + 1,
            most: maxRestarts,
          }),
        )
      }
    } finally {
      await store?.close()
    }
  }

  /** One attempt of all ranks here; returns the first failure, or null. */
  async #attempt(
    attempt: number,
    address: { host: string; port: number },
  ): Promise<Failure | null> {
    const { nprocPerNode, nodeRank, print, grace = 15 } = this.#options
    let first: Failure | null = null
    const failures: Failure[] = []
    this.#errors = this.#noErrors()
    const timers: NodeJS.Timeout[] = []
    const later = (seconds: number, act: () => void): void => {
      timers.push(setTimeout(act, seconds * 1000))
    }
    const ends = Array.from({ length: nprocPerNode }, async (_, local) => {
      const rank = nodeRank * nprocPerNode + local
      const failed = await this.#rank(attempt, local, address).catch((error): Failure => {
        // It did not start; the others are not left to themselves.
        print(rank, failure(error))
        return { rank, code: 1, signal: null, lines: [messageOf(error)] }
      })
      if (failed) failures.push(failed)
      if (!failed || first) return
      first = failed
      later(grace, () => this.#kill('SIGTERM'))
      later(grace + 5, () => this.#kill('SIGKILL'))
    })
    await Promise.all(ends)
    for (const timer of timers) clearTimeout(timer)
    this.#children = []
    this.#errors.release()
    return first && sameAs(first, failures)
  }

  #noErrors(): RankErrors {
    const { print, nnodes, nprocPerNode } = this.#options
    return new RankErrors(print, nnodes * nprocPerNode)
  }

  #kill(signal: NodeJS.Signals): void {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    }
  }

  async #rank(
    attempt: number,
    local: number,
    { host, port }: { host: string; port: number },
  ): Promise<Failure | null> {
    const { nprocPerNode, nnodes, nodeRank, env, program, argumentsOf, logDirectory } =
      this.#options
    const rank = nodeRank * nprocPerNode + local
    const path = join(logDirectory, `rank-${rank}.log`)
    const log = createWriteStream(path, { flags: 'a' })
    // A full disk ends the log, not the run.
    log.on('error', cause =>
      this.#options.print(
        null,
        phrase('cannot write {path}: {reason}', { path, reason: failure(cause) }),
      ),
    )
    const child = spawn(program[0]!, [...program.slice(1), ...argumentsOf(attempt)], {
      env: {
        ...env,
        RANK: String(rank),
        WORLD_SIZE: String(nnodes * nprocPerNode),
        LOCAL_RANK: String(local),
        LOCAL_WORLD_SIZE: String(nprocPerNode),
        MASTER_ADDR: host,
        MASTER_PORT: String(port),
        KOGRPO_LAUNCH: `attempt-${attempt}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C at a terminal reaches it once, by the launcher.
      detached: true,
    })
    this.#children.push(child)
    // Ranks other than the first say nothing while all goes well.
    const size = nnodes * nprocPerNode
    log.write(`rank ${rank} of ${size}, process ${child.pid}, ${new Date().toISOString()}\n`)
    const errors = this.#errors
    const reading = [
      this.#read(child.stdout, log, line => this.#options.print(rank, line)),
      this.#read(child.stderr, log, errors.of(rank, local === 0)),
    ]
    const end = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
      (resolve, reject) => {
        child.once('error', error => {
          log.end(`rank ${rank} did not start: ${error.message}\n`)
          reject(error)
        })
        child.once('exit', (code, signal) => resolve({ code, signal }))
      },
    )
    if (end.code === 0) await Promise.all(reading)
    else await Promise.race([Promise.all(reading), new Promise(r => setTimeout(r, 1000))])
    const how = end.code === 0 ? 'ended well' : describeEnd(end)
    log.end(`rank ${rank} ${how}, ${new Date().toISOString()}\n`)
    return end.code === 0 ? null : { rank, ...end, lines: errors.last(rank) }
  }

  async #read(
    stream: NodeJS.ReadableStream,
    log: WriteStream,
    take: (line: string) => void,
  ): Promise<void> {
    for await (const line of createInterface({ input: stream })) {
      if (!log.writableEnded) log.write(`${line}\n`)
      take(line)
    }
  }

  /** With the rank's last lines, unless they are the only errors and stand right above. */
  #describe({ rank, code, signal, lines }: Failure, logDirectory: string): (string | Phrase)[] {
    const log = join(logDirectory, `rank-${rank}.log`)
    return [
      signal
        ? phrase('rank {rank} failed first: it was ended by {signal}; its log is {log}', {
            ...{ rank, signal, log },
          })
        : phrase('rank {rank} failed first: it ended with code {code}; its log is {log}', {
            ...{ rank, code: String(code), log },
          }),
      ...(this.#errors.othersThan(lines) ? lines.map(line => `  ${line}`) : []),
    ]
  }
}

function describeEnd({ code, signal }: Pick<Failure, 'code' | 'signal'>): string {
  return signal ? `was ended by ${signal}` : `ended with code ${code}`
}

/** Of the failures that ended like the first one with the same words, that of the lowest rank. */
function sameAs(first: Failure, failures: readonly Failure[]): Failure {
  const words = ({ code, lines }: Failure): string => `${code} ${lines.join('\n')}`
  const same = failures.filter(one => one.lines.length > 0 && words(one) === words(first))
  return same.reduce((low, one) => (one.rank < low.rank ? one : low), first)
}

function exitCode({ code, signal }: Pick<Failure, 'code' | 'signal'>): number {
  if (code !== null) return code
  return signal ? 128 + constants.signals[signal] : 1
}
