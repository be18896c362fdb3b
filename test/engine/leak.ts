/**
 * Memory over many engines and many runs that were aborted at random points: after a warm-up the
 * resident set is a flat line, by least squares over samples.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { Random } from '../fuzz/mutate.ts'
import { tinyConfig } from '../tiny-config.ts'

const config = parseModelConfig(tinyConfig({ vocab_size: 512, intermediate_size: 128 }))
const prompt = Int32Array.from({ length: 30 }, (_, i) => (i * 37) % 512)
const MIB = 2 ** 20

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

export interface Slope {
  rounds: number
  /** Resident set behind the warm-up and at the end. */
  first_mib: number
  last_mib: number
  /** Growth in 1,000 rounds. */
  mib_per_1000: number
}

const create = (seed: number): Promise<Engine> =>
  Engine.create({ config, threads: 2, init: { seed, std: 0.1 } })

/** Runs `round` so often; a fifth of the rounds are the warm-up. */
async function slope(rounds: number, round: (i: number) => Promise<void>): Promise<Slope> {
  const samples: [number, number][] = []
  const every = Math.max(1, Math.floor(rounds / 50))
  for (let i = 0; i < rounds; i++) {
    await round(i)
    if (i % every !== 0) continue
    collect() // a disposed engine keeps its idle thread until its object is collected
    await new Promise(resolve => setTimeout(resolve, 5))
    if (i >= rounds / 5) samples.push([i, process.memoryUsage().rss / MIB])
  }
  const n = samples.length
  const [x, y] = [0, 1].map(k => samples.reduce((sum, sample) => sum + sample[k]!, 0) / n) as [
    number,
    number,
  ]
  const covariance = samples.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0)
  const variance = samples.reduce((sum, [a]) => sum + (a - x) ** 2, 0)
  const round1 = (value: number): number => Math.round(value * 10) / 10
  return {
    rounds,
    first_mib: round1(samples[0]![1]),
    last_mib: round1(samples.at(-1)![1]),
    mib_per_1000: round1((1000 * covariance) / variance),
  }
}

/** Engines that are made, used and disposed of. */
export function engines(rounds: number): Promise<Slope> {
  return slope(rounds, async i => {
    const engine = await create(i)
    await engine.generate([{ tokens: prompt, maxNewTokens: 4, seed: i }])
    await engine.dispose()
  })
}

const isAbort = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'AbortError' || (error as { code?: unknown }).code === 'ABORT_ERR')

/** Calls of one engine, each aborted some milliseconds after it began: generation, scoring, a
 *  forward and backward pass, requests of a serving session. */
export async function aborts(rounds: number): Promise<Slope> {
  const engine = await create(1)
  const random = new Random('aborts')
  const length = 400
  const tokens = Int32Array.from({ length }, () => random.below(512))
  const batch = { tokens, cuSeqlens: Int32Array.of(0, length) }
  const coef = new Float32Array(length).fill(0.1)
  coef[0] = 0
  const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
    signal => engine.generate([{ tokens: prompt, maxNewTokens: 20_000, seed: 1 }], { signal }),
    signal => engine.score(batch, { signal }),
    signal => engine.forwardBackward(batch, coef, { signal }),
    async signal => {
      const session = await engine.serve({ maxCacheBytes: 8 * MIB })
      const requests = [0, 1, 2].map(async stream => {
        const events = session.submit({ tokens: prompt, maxNewTokens: 400, stream }, { signal })
        for await (const event of events) if (stream === 2 && event.kind === 'token') break
      })
      const outcomes = await Promise.allSettled(requests)
      await session.close()
      for (const outcome of outcomes)
        if (outcome.status === 'rejected' && !isAbort(outcome.reason)) throw outcome.reason
    },
  ]
  const result = await slope(rounds, async i => {
    const controller = new AbortController()
    const run = calls[i % calls.length]!(controller.signal)
    const timer = setTimeout(() => controller.abort(), random.below(9))
    await run.catch(error => {
      if (!isAbort(error)) throw error
    })
    clearTimeout(timer)
    await engine.zeroGradients()
  })
  await engine.dispose()
  return result
}
