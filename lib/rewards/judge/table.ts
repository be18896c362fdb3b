/**
 * Agreement of two binary raters on the same samples. In the oracle the judge is taken as truth (fp =
 * the checker said 1, the judge 0); in a calibration the label is (fp = the judge said 1, the label 0).
 */

/** Counts by (rated, truth): tp = (1, 1), fp = (1, 0), fn = (0, 1), tn = (0, 0). */
export interface Table {
  tp: number
  fp: number
  fn: number
  tn: number
}

export function emptyTable(): Table {
  return { tp: 0, fp: 0, fn: 0, tn: 0 }
}

/** Counts one sample. */
export function count(table: Table, rated: 0 | 1, truth: 0 | 1): void {
  if (rated === 1) table[truth === 1 ? 'tp' : 'fp']++
  else table[truth === 1 ? 'fn' : 'tn']++
}

export function total({ tp, fp, fn, tn }: Table): number {
  return tp + fp + fn + tn
}

/** Share on which both raters say the same; null for no samples. */
export function agreement(table: Table): number | null {
  const n = total(table)
  return n === 0 ? null : (table.tp + table.tn) / n
}

/**
 * Cohen's kappa (1960): (p_o − p_e) / (1 − p_e), agreement beyond what the two raters' own rates give
 * by chance. Null for no samples, and where both raters say one and the same throughout (p_e = 1).
 */
export function cohensKappa(table: Table): number | null {
  const n = total(table)
  if (n === 0) return null
  const { tp, fp, fn, tn } = table
  // In whole numbers: n² p_e and n² p_o are exact, so a table of one row gives exactly 0.
  const chance = (tp + fp) * (tp + fn) + (fn + tn) * (fp + tn)
  return chance === n * n ? null : ((tp + tn) * n - chance) / (n * n - chance)
}
