/**
 * Statistics of an evaluation. Proportions have Wilson intervals (Wilson 1927: sound near 0 and 1);
 * paired differences have the normal interval of the per-item differences, mean ± 1.96 · s/√n with
 * the Bessel s, which for two models on the same problems is far narrower than that of two separate
 * proportions; the exact sign test gives the two-sided p of the discordant pairs (McNemar's). All 95 %.
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'

/** 97.5 % quantile of the standard normal distribution. */
const Z95 = 1.959963984540054

export interface Interval {
  low: number
  high: number
}

interface Proportion {
  value: number
  ci95: Interval
  n: number
}

export interface PairedDifference {
  /** Mean of after − before. */
  value: number
  ci95: Interval
  n: number
}

/** Share of true (or 1) outcomes with its Wilson interval. Throws `E_EVAL` for no outcomes. */
export function proportion(outcomes: readonly (boolean | 0 | 1)[]): Proportion {
  const n = outcomes.length
  requireItems('proportion', n)
  const value = outcomes.reduce<number>((sum, outcome) => sum + Number(outcome), 0) / n
  const z2 = Z95 * Z95
  const centre = (value + z2 / (2 * n)) / (1 + z2 / n)
  const half = (Z95 / (1 + z2 / n)) * Math.sqrt((value * (1 - value)) / n + z2 / (4 * n * n))
  // At 0 and 1 the bound equals the value exactly; rounding must not move it past.
  return {
    value,
    ci95: {
      low: value === 0 ? 0 : Math.max(0, centre - half),
      high: value === 1 ? 1 : Math.min(1, centre + half),
    },
    n,
  }
}

/**
 * Mean of after − before over the same items, with the normal interval of the differences.
 * Throws `E_EVAL` for different lengths or fewer than two items.
 */
export function pairedDifference(
  before: readonly number[],
  after: readonly number[],
): PairedDifference {
  requirePairs(before.length, after.length)
  const differences = after.map((value, i) => value - before[i]!)
  const n = differences.length
  if (n < 2) throw new KogrpoError('E_EVAL', phrase('a paired interval needs at least two items'))
  const value = mean(differences)
  const half = (Z95 * standardDeviation(differences)) / Math.sqrt(n)
  return { value, ci95: { low: value - half, high: value + half }, n }
}

/** Two-sided exact sign test: p of a split at least as uneven as this under a fair coin. */
export function signTest(plus: number, minus: number): number {
  const n = plus + minus
  const extreme = Math.min(plus, minus)
  // Binomial terms from the log of C(n, k) / 2^n, so that large n does not overflow.
  let logTerm = -n * Math.LN2
  let tail = 0
  for (let k = 0; k <= extreme; k++) {
    tail += Math.exp(logTerm)
    logTerm += Math.log(n - k) - Math.log(k + 1)
  }
  return Math.min(1, 2 * tail)
}

/** Arithmetic mean. Throws `E_EVAL` for no values. */
export function mean(values: readonly number[]): number {
  requireItems('mean', values.length)
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Standard deviation with Bessel's correction; 0 for a single value. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0
  const centre = mean(values)
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1))
}

/** Percentile `q` in [0, 100] by linear interpolation between order statistics (as numpy). */
export function percentile(values: readonly number[], q: number): number {
  requireItems('percentile', values.length)
  if (!(q >= 0 && q <= 100)) {
    throw new KogrpoError(
      'E_EVAL',
      phrase('percentile q is {q}; it must be between 0 and 100', { q }),
    )
  }
  const sorted = [...values].sort((a, b) => a - b)
  const position = ((sorted.length - 1) * q) / 100
  const below = sorted[Math.floor(position)]!
  const above = sorted[Math.ceil(position)]!
  return below + (above - below) * (position - Math.floor(position))
}

/** The 50th percentile. */
export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

function requireItems(what: string, n: number): void {
  if (n === 0)
    throw new KogrpoError(
      'E_EVAL',
      phrase('{what} of no values; the evaluation is empty', { what }),
    )
}

function requirePairs(before: number, after: number): void {
  if (before !== after) {
    throw new KogrpoError(
      'E_EVAL',
      phrase('paired statistics need the same items: {before} before, {after} after', {
        before,
        after,
      }),
    )
  }
}
