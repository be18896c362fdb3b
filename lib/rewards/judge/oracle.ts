/**
 * The oracle: a typed rule over the checker's value and the judge's verdict of each sample.
 *
 *   observe   asks wherever the checker said 0 or 1 and never changes a value: the table of checker
 *             against judge is measured while the checker alone decides.
 *   override  asks everywhere; the judge's verdict replaces the checker's. A null checker (not
 *             applicable) is judged too: the judge stands in for the checker.
 *   appeal    asks only where the checker says 0; the judge may turn it into 1.
 *   veto      asks only where the checker says 1; the judge may turn it into 0.
 *   both      appeal and veto together: asks wherever the checker said 0 or 1, and where they
 *             disagree the judge decides. With a binary checker this gives override's values; the
 *             difference is the checker's null, which stays null here because there is no verdict
 *             to appeal or veto.
 *
 * Under every rule a failed verdict keeps the checker's value (under override possibly null) and is
 * counted; no verdict is ever invented.
 */
import { KogrpoError } from '../../errors.ts'
import type { Judge, JudgeItem, Verdict } from './types.ts'

export type OracleRule = 'observe' | 'override' | 'appeal' | 'veto' | 'both'

export interface OracleInput {
  rule: OracleRule
  judge: Judge
  /** The checker's value a sample: 0, 1, or null for "not applicable". */
  checker: readonly (number | null)[]
  items: readonly JudgeItem[]
  signal?: AbortSignal | undefined
}

export interface OracleSample {
  checker: 0 | 1 | null
  /** Null where the judge was not asked or failed. */
  judge: 0 | 1 | null
  final: 0 | 1 | null
  /** Why the judge has no verdict although it was asked; null otherwise. */
  failure: string | null
}

/** The 2 × 2 table takes the judge as truth: fp = the checker said 1, the judge 0. */
export interface OracleStats {
  tp: number
  fp: number
  fn: number
  tn: number
  /** (tp + tn) / verdicts where both spoke; null when there is none. */
  agreement: number | null
  /** Failed / asked; 0 when nothing was asked. */
  failure_rate: number
  /** Samples the judge was asked about. */
  calls: number
  /** Wall time of judging this batch, in seconds. */
  latency_s: number
}

/** Applies the rule to a batch. Throws `E_JUDGE` for values that are not 0, 1 or null. */
export async function applyOracle(
  input: OracleInput,
): Promise<{ samples: OracleSample[]; stats: OracleStats }> {
  const { rule, judge, items, signal } = input
  const checker = input.checker.map(binary)
  if (items.length !== checker.length) {
    throw new KogrpoError(
      'E_JUDGE',
      `${items.length} judge items for ${checker.length} checker values; give one a sample`,
    )
  }
  const asked = checker.flatMap((value, i) => (asks(rule, value) ? [i] : []))
  const started = performance.now()
  const verdicts =
    asked.length === 0
      ? []
      : await judge(
          asked.map(i => items[i]!),
          signal,
        )
  const latency = (performance.now() - started) / 1000
  if (verdicts.length !== asked.length) {
    throw new KogrpoError(
      'E_JUDGE',
      `the judge returned ${verdicts.length} verdicts for ${asked.length} items`,
    )
  }
  const samples: OracleSample[] = checker.map(value => ({
    checker: value,
    judge: null,
    final: value,
    failure: null,
  }))
  asked.forEach((i, position) => {
    const sample = samples[i]!
    const verdict: Verdict = verdicts[position]!
    if ('failed' in verdict) {
      sample.failure = verdict.failed
    } else if (verdict.verdict === 0 || verdict.verdict === 1) {
      sample.judge = verdict.verdict
      if (rule !== 'observe') sample.final = verdict.verdict
    } else {
      sample.failure = `the judge's verdict is ${String(verdict.verdict)}, neither 0 nor 1`
    }
  })
  return { samples, stats: statistics(samples, asked.length, latency) }
}

function asks(rule: OracleRule, checker: 0 | 1 | null): boolean {
  switch (rule) {
    case 'override':
      return true
    case 'appeal':
      return checker === 0
    case 'veto':
      return checker === 1
    case 'observe':
    case 'both':
      return checker !== null
    default:
      throw new KogrpoError(
        'E_CONFIG',
        `oracle rule '${String(rule)}' is unknown; choose observe, override, appeal, veto or both`,
      )
  }
}

function statistics(samples: OracleSample[], calls: number, latency: number): OracleStats {
  const table = { tp: 0, fp: 0, fn: 0, tn: 0 }
  let failures = 0
  for (const { checker, judge, failure } of samples) {
    if (failure !== null) failures++
    if (judge === null || checker === null) continue
    if (checker === 1) table[judge === 1 ? 'tp' : 'fp']++
    else table[judge === 1 ? 'fn' : 'tn']++
  }
  const both = table.tp + table.fp + table.fn + table.tn
  return {
    ...table,
    agreement: both === 0 ? null : (table.tp + table.tn) / both,
    failure_rate: calls === 0 ? 0 : failures / calls,
    calls,
    latency_s: latency,
  }
}

function binary(value: number | null, i: number): 0 | 1 | null {
  if (value === null || value === 0 || value === 1) return value
  throw new KogrpoError(
    'E_JUDGE',
    `the checker's value of sample ${i} is ${value}; the oracle needs 0, 1 or null`,
  )
}
