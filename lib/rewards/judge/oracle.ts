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
import { english, phrase } from '../../messages/phrase.ts'
import { agreement, cohensKappa, count, emptyTable, type Table } from './table.ts'
import { type Judge, type JudgeItem, type Judgement, sumTokens } from './types.ts'

export type OracleRule = 'observe' | 'override' | 'appeal' | 'veto' | 'both'

/** What a rule does, for the log of a run. */
export const RULES: Readonly<Record<OracleRule, string>> = {
  observe: english('the judge is asked wherever the checker has a verdict and decides nothing'),
  override: english('the judge is asked about every completion, and its verdict is the accuracy'),
  appeal: english('the judge is asked where the checker says 0 and may turn that into 1'),
  veto: english('the judge is asked where the checker says 1 and may turn that into 0'),
  both: english(
    'the judge is asked wherever the checker has a verdict, and its own is the accuracy',
  ),
}

interface OracleInput {
  rule: OracleRule
  judge: Pick<Judge, 'judge'>
  /** The checker's value a sample: 0, 1, or null for "not applicable". */
  checker: readonly (number | null)[]
  items: readonly JudgeItem[]
  signal?: AbortSignal | undefined
  /** Called with the number of verdicts given, and the number asked for. */
  onProgress?: ((done: number, asked: number) => void) | undefined
}

export interface OracleSample {
  checker: 0 | 1 | null
  /** Null where the judge was not asked or failed. */
  judge: 0 | 1 | null
  final: 0 | 1 | null
  /** Why the judge has no verdict although it was asked; null otherwise. */
  failure: string | null
}

/** The table takes the judge as truth: fp = the checker said 1, the judge 0. */
export interface OracleStats extends Table {
  /** (tp + tn) / verdicts where both spoke; null when there is none. */
  agreement: number | null
  /**
   * Cohen's kappa of checker and judge; null when it is not defined. Under appeal and veto, which see
   * one side of the checker's verdicts, it is 0 by construction.
   */
  kappa: number | null
  /** Failed / asked; 0 when nothing was asked. */
  failure_rate: number
  failures: number
  /** Samples the judge was asked about. */
  calls: number
  /** Of these, those whose verdict was known or was being asked for already. */
  cache_hits: number
  /** Requests made, retries included. */
  requests: number
  /** Null where the judge does not tell, and for programs. */
  tokens: { prompt: number; completion: number } | null
  /** Wall time of judging this batch, in seconds. */
  latency_s: number
  /** Seconds to a verdict that was not cached; null when there was none. */
  latency_mean_s: number | null
  latency_max_s: number | null
}

/** What became of a batch, and what that took. */
export interface JudgedBatch {
  samples: OracleSample[]
  stats: OracleStats
}

/** Applies the rule to a batch. Throws `E_JUDGE` for values that are not 0, 1 or null. */
export async function applyOracle(input: OracleInput): Promise<JudgedBatch> {
  const { rule, judge, items, signal, onProgress } = input
  const checker = input.checker.map(binary)
  if (items.length !== checker.length) {
    throw new KogrpoError(
      'E_JUDGE',
      phrase('{items} judge items for {values} checker values; give one a sample', {
        items: items.length,
        values: checker.length,
      }),
    )
  }
  const asked = checker.flatMap((value, i) => (asks(rule, value) ? [i] : []))
  const started = performance.now()
  let done = 0
  const judgements = await Promise.all(
    asked.map(async i => {
      const given = await judge.judge(items[i]!, signal)
      onProgress?.(++done, asked.length)
      return given
    }),
  )
  const latency = (performance.now() - started) / 1000
  const samples: OracleSample[] = checker.map(value => ({
    checker: value,
    judge: null,
    final: value,
    failure: null,
  }))
  asked.forEach((i, position) => {
    const sample = samples[i]!
    const { verdict } = judgements[position]!
    if ('failed' in verdict) {
      sample.failure = verdict.failed
    } else if (verdict.verdict === 0 || verdict.verdict === 1) {
      sample.judge = verdict.verdict
      if (rule !== 'observe') sample.final = verdict.verdict
    } else {
      sample.failure = `the judge's verdict is ${String(verdict.verdict)}, neither 0 nor 1`
    }
  })
  return { samples, stats: statistics(samples, judgements, latency) }
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
        phrase("oracle rule '{rule}' is unknown; choose observe, override, appeal, veto or both", {
          rule: String(rule),
        }),
      )
  }
}

function statistics(
  samples: readonly OracleSample[],
  judgements: readonly Judgement[],
  latency_s: number,
): OracleStats {
  const table = emptyTable()
  for (const { checker, judge } of samples) {
    if (judge !== null && checker !== null) count(table, checker, judge)
  }
  const calls = judgements.length
  const failures = samples.filter(({ failure }) => failure !== null).length
  const waits = judgements.filter(({ cached }) => !cached).map(given => given.latency_s)
  const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0)
  return {
    ...rates(table, calls, failures),
    cache_hits: calls - waits.length,
    requests: sum(judgements.map(({ requests }) => requests)),
    tokens: sumTokens(judgements),
    latency_s,
    latency_mean_s: waits.length === 0 ? null : sum(waits) / waits.length,
    latency_max_s: waits.length === 0 ? null : waits.reduce((a, b) => Math.max(a, b)),
  }
}

/** The statistics of batches that were judged apart, as of one. */
export function mergeStats(parts: readonly OracleStats[]): OracleStats {
  const [first] = parts
  if (parts.length === 1) return first!
  const sum = (of: (part: OracleStats) => number): number =>
    parts.reduce((total, part) => total + of(part), 0)
  const table = { tp: sum(p => p.tp), fp: sum(p => p.fp), fn: sum(p => p.fn), tn: sum(p => p.tn) }
  const [calls, failures] = [sum(p => p.calls), sum(p => p.failures)]
  const waits = sum(p => p.calls - p.cache_hits)
  const slowest = parts.flatMap(({ latency_max_s }) => latency_max_s ?? [])
  return {
    ...rates(table, calls, failures),
    cache_hits: sum(p => p.cache_hits),
    requests: sum(p => p.requests),
    tokens: sumTokens(parts),
    latency_s: Math.max(...parts.map(({ latency_s }) => latency_s)),
    latency_mean_s:
      waits === 0 ? null : sum(p => (p.latency_mean_s ?? 0) * (p.calls - p.cache_hits)) / waits,
    latency_max_s: slowest.length === 0 ? null : Math.max(...slowest),
  }
}

/** The table, and what it and the failures come to. */
function rates(
  table: Table,
  calls: number,
  failures: number,
): Pick<OracleStats, keyof Table | 'agreement' | 'kappa' | 'failure_rate' | 'failures' | 'calls'> {
  return {
    ...table,
    agreement: agreement(table),
    kappa: cohensKappa(table),
    failure_rate: calls === 0 ? 0 : failures / calls,
    failures,
    calls,
  }
}

function binary(value: number | null, i: number): 0 | 1 | null {
  if (value === null || value === 0 || value === 1) return value
  throw new KogrpoError(
    'E_JUDGE',
    phrase("the checker's value of sample {i} is {value}; the oracle needs 0, 1 or null", {
      i,
      value,
    }),
  )
}
