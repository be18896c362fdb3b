/**
 * Runs the cases of a TypeScript reader. A case breaks when it throws anything but an error of
 * kogrpo's own, when it takes longer than its time (V8 ends a case that loops), when it has left
 * something on a prototype, or when the target itself finds a promise broken.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { createContext, runInNewContext, Script } from 'node:vm'
import { KogrpoError } from '../../lib/errors.ts'
import { HttpError } from '../../lib/serve/errors.ts'
import { Random } from './mutate.ts'

export interface FuzzTarget {
  name: string
  /** What case (seed, index) is; a function of `random` alone. */
  make(random: Random): unknown
  /** Reads it. Only errors of kogrpo's own may come out. */
  run(input: never): void | Promise<void>
}

export interface FuzzFigures {
  cases: number
  seed: number
  cpu_seconds: number
  slowest_ms: number
  refused: number
  /** Of what is in use after a collection, from the first tenth of the cases on. */
  heap_growth_mb: number
}

/** Processor time that one case may take, ms. */
const LIMIT_MS = 5000
/** After which V8 ends it, ms on the clock: a starved machine gives little of that to one process. */
const HANG_MS = 20 * LIMIT_MS
const TIMED = new Script('run()')

/** Throws at the first case that breaks, naming it; its input is kept in `directory`. */
export async function fuzz(
  target: FuzzTarget,
  options: { cases: number; seed: number; directory?: string },
): Promise<FuzzFigures> {
  const { cases, seed, directory } = options
  const started = process.cpuUsage()
  const before = prototypes()
  let slowest = 0
  let refused = 0
  let heap = 0
  const context = createContext({ run: () => {} })
  for (let index = 0; index < cases; index++) {
    const input = target.make(new Random(`${target.name} ${seed} ${index}`))
    const from = process.cpuUsage()
    try {
      context.run = () => target.run(input as never)
      const outcome: unknown = TIMED.runInContext(context, { timeout: HANG_MS })
      if (outcome instanceof Promise) await outcome
    } catch (error) {
      if (error instanceof KogrpoError || error instanceof HttpError) refused++
      else throw broken(target, input, { seed, index, directory }, error)
    }
    // Finalizers run between turns of the loop, as they do in a server.
    if (index % 100 === 0) await setImmediate()
    const { user, system } = process.cpuUsage(from)
    slowest = Math.max(slowest, (user + system) / 1000)
    if (slowest > LIMIT_MS)
      throw broken(target, input, { seed, index, directory }, `took ${slowest} ms`)
    if (prototypes() !== before)
      throw broken(target, input, { seed, index, directory }, 'a prototype has changed')
    if (index === Math.floor(cases / 10)) heap = await heapInUse()
  }
  const { user, system } = process.cpuUsage(started)
  return {
    cases,
    seed,
    cpu_seconds: Math.round((user + system) / 1e6),
    slowest_ms: Math.round(slowest),
    refused,
    heap_growth_mb: Math.round(((await heapInUse()) - heap) / 2 ** 20),
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use once what nothing refers to is gone, what is cleared up behind it (finalizers) too. */
async function heapInUse(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await setImmediate()
  }
  collect()
  return process.memoryUsage().heapUsed
}

/** Everything that hangs on the prototypes that a reader could write to. */
function prototypes(): number {
  let keys = 0
  for (const prototype of [Object.prototype, Array.prototype, Function.prototype, String.prototype])
    keys += Reflect.ownKeys(prototype).length
  for (const key in {}) keys += 1000 + key.length
  return keys
}

function broken(
  target: FuzzTarget,
  input: unknown,
  place: { seed: number; index: number; directory?: string | undefined },
  error: unknown,
): Error {
  const { seed, index, directory } = place
  let kept = ''
  if (directory !== undefined) {
    kept = `${directory}/${target.name}-${seed}-${index}`
    mkdirSync(directory, { recursive: true })
    const isText = typeof input === 'string' || input instanceof Uint8Array
    writeFileSync(kept, isText ? input : JSON.stringify(input, null, 1).slice(0, 1 << 20))
    kept = `; its input is ${kept}`
  }
  return new Error(`${target.name}: case ${index} of seed ${seed} breaks${kept}`, { cause: error })
}
