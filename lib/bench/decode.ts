/**
 * Benchmark of decoding: one token for each of `batch` sequences at a time, which reads every weight
 * once. Prompts have one token, so that all of the `new` steps are such. Beside a step's time stands
 * how fast the same threads read memory just before.
 */
import { performance } from 'node:perf_hooks'
import type { Engine } from '../engine/engine.ts'
import type { ModelConfig } from '../model/config.ts'
import { attentionFlops, blockFlops, headFlops } from './flops.ts'
import { type BenchResult, report, rounded, spread, timed } from './measure.ts'
import { randomRequests } from './model.ts'
import type { BenchOptions } from './options.ts'

/** Of a matrix's element in the packed copy; what int8 adds a row is not counted. */
const WEIGHT_BYTES = { float32: 4, bfloat16: 2, int8: 1 } as const
/** Of an element of keys and values. */
const CACHE_BYTES = { float32: 4, bfloat16: 2, int8: 4 } as const

/** Far more than a cache holds, in floats: 256 MiB. */
const READ_FLOATS = 1 << 26

export async function benchDecode(options: BenchOptions, engine: Engine): Promise<BenchResult> {
  const { geometry, sizes, runs, dtype, signal } = options
  const { batch = 1, new: fresh = 1 } = sizes
  const bandwidths: number[] = []
  const steps: number[] = []
  const requests = randomRequests({ ...options, sizes: { prompt: 1, new: fresh } }, batch, 1)
  const { peakFlops } = await timed(engine, runs, async () => {
    const read = await engine.benchmark({ kind: 'bandwidth', n: READ_FLOATS, runs: 3, signal })
    bandwidths.push((4 * READ_FLOATS) / spread(read.seconds).min)
    const start = performance.now()
    await engine.generate(requests, { signal, maxSequences: batch })
    steps.push((performance.now() - start) / 1000 / fresh)
  })
  const seconds = steps.slice(1) // the first was the warm-up
  const bytes = weightBytes(geometry, dtype) + cacheBytes(options, batch, fresh / 2)
  const context = Math.ceil(fresh / 2)
  const flops =
    batch *
    (blockFlops(geometry) +
      headFlops(geometry) +
      geometry.numLayers * attentionFlops(geometry, context - 1, context))
  const line = report(
    engine,
    'decode',
    { dtype, batch, new: fresh },
    { seconds, peakFlops },
    { flops, tokens: batch },
  )
  return {
    ...line,
    bytes,
    bandwidth: spread(bandwidths.slice(1)),
    share_of_bandwidth: spread(seconds.map((s, i) => rounded(bytes / s / bandwidths[i + 1]!))),
  }
}

/** Of the matrices, each read once in a step; the embedding only where it is the head. */
function weightBytes(c: ModelConfig, dtype: BenchOptions['dtype']): number {
  const elements = (blockFlops(c) + headFlops(c)) / 2
  return elements * WEIGHT_BYTES[dtype]
}

/** Keys and values of a context. */
function cacheBytes(
  { geometry: c, dtype }: Pick<BenchOptions, 'geometry' | 'dtype'>,
  batch: number,
  context: number,
): number {
  return batch * c.numLayers * 2 * c.numKvHeads * c.headDim * context * CACHE_BYTES[dtype]
}
