/**
 * Benchmark of a training step on groups: `batch` prompts with `group` completions each, prompts not
 * trained; forward, backward and AdamW. Every run does the step with each sequence in full and then
 * with the group's prompt computed once, so that the ratio compares neighbouring moments.
 */
import { performance } from 'node:perf_hooks'
import { concatenate, type MicroBatch } from '../data/packing.ts'
import type { Engine } from '../engine/engine.ts'
import { trainingFlops } from './flops.ts'
import { type BenchResult, report, rounded, spread, timed } from './measure.ts'
import { randomTokens } from './model.ts'
import type { BenchOptions } from './options.ts'

export async function* benchSharedPrefix(
  options: BenchOptions,
  engine: Engine,
): AsyncGenerator<BenchResult> {
  const { geometry, sizes, runs, signal } = options
  const { batch = 1, group = 2, prompt = 1, new: fresh = 1 } = sizes
  const shared = groupBatch(options)
  const { prefixes: _, ...plain } = shared
  const coef = Float32Array.from(shared.mask, m => -m / (batch * group * fresh))
  const step = async (data: Omit<MicroBatch, 'members'>): Promise<number> => {
    const start = performance.now()
    await engine.forwardBackward(data, coef, { signal })
    await engine.optimizerStep({ learningRate: 1e-5, maxGradNorm: 1 })
    return (performance.now() - start) / 1000
  }
  const seconds = { plain: [] as number[], shared: [] as number[] }
  const { peakFlops } = await timed(engine, runs, async () => {
    seconds.plain.push(await step(plain))
    seconds.shared.push(await step(shared))
  })
  const parameters = { batch, group, prompt, new: fresh }
  // What the plain step computes: of both, so that the shared one shows what it gained.
  const work = {
    flops: trainingFlops(geometry, batch * group, prompt + fresh, fresh),
    tokens: batch * group * (prompt + fresh),
  }
  for (const variant of ['plain', 'shared'] as const) {
    const timing = { seconds: seconds[variant].slice(1), peakFlops } // the first was the warm-up
    const line = report(engine, 'shared_prefix', { variant, ...parameters }, timing, work)
    const ratios = timing.seconds.map((s, i) => rounded(s / seconds.plain[i + 1]!))
    yield { ...line, time_of_plain: spread(ratios) }
  }
}

function groupBatch({ geometry, sizes, seed }: BenchOptions): MicroBatch {
  const { batch = 1, group = 2, prompt: length = 1, new: fresh = 1 } = sizes
  const random = (n: number, key: string): Int32Array =>
    randomTokens(n, geometry.vocabSize, `${seed} ${key}`)
  const samples = Array.from({ length: batch }, (_, p) => random(length, `prompt ${p}`)).flatMap(
    (prompt, p) =>
      Array.from({ length: group }, (_, g) => {
        const ids = new Int32Array(length + fresh)
        ids.set(prompt)
        ids.set(random(fresh, `completion ${p} ${g}`), length)
        return { ids, mask: new Uint8Array(ids.length).fill(1, length), prompt }
      }),
  )
  return concatenate(samples, [...samples.keys()])
}
