/**
 * Timed runs and the lines that report them. Every run is paired with a measurement of one core's
 * register peak (fused multiply-adds that touch no memory), taken just before it: a share of peak
 * compares two moments of the same machine, whatever its clock does.
 */
import { performance } from 'node:perf_hooks'
import type { Engine } from '../engine/engine.ts'

interface Spread {
  median: number
  min: number
  max: number
}

/** One line of output. Parameters of the benchmark stand beside these. */
export interface BenchResult {
  mode: string
  /** What of the mode was measured, where it has several. */
  variant?: string
  runs: number
  seconds: Spread
  /** Tokens of one run. */
  tokens?: number
  tokens_per_s?: Spread
  /** Floating-point operations per second of the median run, 10⁹. */
  gflops: number
  /** The same of one core's registers: the median over the runs, 10⁹. */
  peak_gflops: number
  /** gflops / (peak_gflops · threads). */
  share_of_peak: number
  /** Seconds of one thread over seconds of all. */
  scaling?: number
  /** Median seconds of the parts of a run. */
  phases?: Record<string, number>
  /** Largest resident memory of the process so far, MiB. */
  rss_mb: number
  threads: number
  isa: string
  [parameter: string]: unknown
}

/** Seconds of the runs, and the operations per second of one core's registers before each. */
interface Timing {
  seconds: ArrayLike<number>
  peakFlops: ArrayLike<number>
}

/** What one run amounts to. */
interface Work {
  /** Floating-point operations. */
  flops: number
  tokens?: number
}

/** Five significant digits: more would be noise. */
export function rounded(x: number): number {
  return Number(x.toPrecision(5))
}

/** Median, smallest and largest of at least one value. */
export function spread(values: ArrayLike<number>): Spread {
  const sorted = Array.from(values).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median =
    sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median: rounded(median), min: rounded(sorted[0]!), max: rounded(sorted.at(-1)!) }
}

/** Runs `body` once to warm up, then `runs` times. */
export async function timed(
  engine: Engine,
  runs: number,
  body: () => Promise<void>,
): Promise<Timing> {
  const seconds: number[] = []
  const peakFlops: number[] = []
  await body()
  for (let run = 0; run < runs; run++) {
    const peak = await engine.benchmark({ kind: 'peak', runs: 1 })
    peakFlops.push(peak.peakFlops[0]!)
    const start = performance.now()
    await body()
    seconds.push((performance.now() - start) / 1000)
  }
  return { seconds, peakFlops }
}

/** The line of a measurement. */
export function report(
  engine: Engine,
  mode: string,
  parameters: Record<string, unknown>,
  timing: Timing,
  { flops, tokens }: Work,
): BenchResult {
  const seconds = spread(timing.seconds)
  const gflops = rounded(flops / seconds.median / 1e9)
  const peak = spread(timing.peakFlops).median / 1e9
  const rates = Array.from(timing.seconds, s => (tokens ?? 0) / s)
  return {
    mode,
    ...parameters,
    threads: engine.threads,
    isa: engine.isa,
    runs: timing.seconds.length,
    seconds,
    ...(tokens === undefined ? {} : { tokens, tokens_per_s: spread(rates) }),
    gflops,
    peak_gflops: rounded(peak),
    share_of_peak: rounded(gflops / (peak * engine.threads)),
    rss_mb: rounded(process.resourceUsage().maxRSS / 1024),
  }
}
