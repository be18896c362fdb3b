/**
 * Bootstrap intervals (Efron 1979; percentile method) over questions. A question is the unit that is
 * drawn, with all its samples: samples of one question are no independent evidence. Draws follow from
 * the seed, so that a report comes out the same bytes again.
 */
import { randomStream } from '../data/random.ts'
import { type Interval, mean, percentile } from './statistics.ts'

interface BootstrapOptions {
  /** Default 10,000. */
  resamples?: number
  seed?: number
}

/** 95 % interval of the mean of `values`, one a question. Throws `E_EVAL` for no values. */
export function bootstrapMean(
  values: readonly number[],
  { resamples = 10_000, seed = 0 }: BootstrapOptions = {},
): Interval {
  const n = values.length
  const next = randomStream(`bootstrap ${seed} ${n}`)
  mean(values)
  const means = Array.from({ length: resamples }, () => {
    let sum = 0
    // 2^-32 · n of bias in an index is far below the noise of 10,000 draws.
    for (let i = 0; i < n; i++) sum += values[Math.floor((next() / 2 ** 32) * n)]!
    return sum / n
  })
  return { low: percentile(means, 2.5), high: percentile(means, 97.5) }
}

/** 95 % interval of any statistic of `items`, which are drawn with replacement. */
export function bootstrap<T>(
  items: readonly T[],
  statistic: (drawn: readonly T[]) => number,
  { resamples = 10_000, seed = 0 }: BootstrapOptions = {},
): Interval {
  const next = randomStream(`bootstrap ${seed} ${items.length}`)
  const draw = (): T => items[Math.floor((next() / 2 ** 32) * items.length)]!
  const values = Array.from({ length: resamples }, () => statistic(items.map(draw)))
  return { low: percentile(values, 2.5), high: percentile(values, 97.5) }
}
