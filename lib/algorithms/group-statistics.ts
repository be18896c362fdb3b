/**
 * Means, deviations and equality over groups of rewards, in which `null` is "not applicable" and takes
 * no part. Standard deviations are Bessel's (n − 1), as torch's are.
 */

/** Span of totals (and of single rewards' deviations) below which they count as equal. */
const EQUAL_REWARDS_TOLERANCE = 1e-8

/** Mean about the first value: exact when all values are equal, which a plain sum is not. */
export function shiftedMean(values: readonly number[]): number {
  const first = values[0]!
  let sum = 0
  for (const value of values) sum += value - first
  return first + sum / values.length
}

/** Bessel's standard deviation; 0 for fewer than two values. */
export function besselStd(values: readonly number[]): number {
  if (values.length < 2) return 0
  const mean = shiftedMean(values)
  let sum = 0
  for (const value of values) sum += (value - mean) ** 2
  return Math.sqrt(sum / (values.length - 1))
}

/** The values in [start, end) that are not null. */
export function presentIn(row: readonly (number | null)[], start = 0, end = row.length): number[] {
  return row.slice(start, end).filter(value => value !== null)
}

/** Whether the values count as equal; none and one do. */
export function areEqual(values: readonly number[]): boolean {
  return values.length === 0 || Math.max(...values) - Math.min(...values) <= EQUAL_REWARDS_TOLERANCE
}

/** For every run of `group` values: whether those that are not null are equal. */
export function equalGroups(row: readonly (number | null)[], group: number): boolean[] {
  return Array.from({ length: row.length / group }, (_, g) =>
    areEqual(presentIn(row, g * group, (g + 1) * group)),
  )
}
