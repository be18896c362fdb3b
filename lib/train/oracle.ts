/**
 * The oracle of a run: the judge that its recipe names, asked about every batch of completions by the
 * recipe's rule, with what it took. Too many failed verdicts stop the run; its state is saved then
 * (run.ts), so that it can go on when the judge is well again.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { OracleSpec } from '../config/schema/oracle.ts'
import { isBuiltin } from '../config/schema/source.ts'
import type { Recipe } from '../config/schema.ts'
import { KogrpoError } from '../errors.ts'
import { deviceOf, placeOf } from '../launch/place.ts'
import { type Phrase, phrase, written } from '../messages/phrase.ts'
import type { Metrics, OracleSummary } from '../report/events.ts'
import { openJudge } from '../rewards/judge/create.ts'
import { judgeItems } from '../rewards/judge/items.ts'
import {
  applyOracle,
  type JudgedBatch,
  mergeStats,
  type OracleRule,
  type OracleSample,
  type OracleStats,
  RULES,
} from '../rewards/judge/oracle.ts'
import { builtinPrograms } from '../rewards/judge/programs.ts'
import { whyUnreachable } from '../rewards/judge/reachable.ts'
import { agreement, cohensKappa } from '../rewards/judge/table.ts'
import { type CachePosition, type Judge, sumTokens, type TokenUse } from '../rewards/judge/types.ts'
import { oracleMetrics } from '../rewards/metrics.ts'
import type { RewardInput, RewardValues } from '../rewards/types.ts'
import { modelPath } from './sources.ts'

export const ACCURACY = 'accuracy'

/** Too many of the judge's verdicts failed: the run stops, and can go on from its saved state. */
export class JudgeUnwell extends KogrpoError {
  constructor(text: Phrase) {
    super('E_JUDGE', text)
    this.name = 'JudgeUnwell'
  }
}

/** What the oracle has done so far in a run. */
type OracleTotals = Pick<
  OracleStats,
  'tp' | 'fp' | 'fn' | 'tn' | 'calls' | 'failures' | 'cache_hits' | 'requests'
> & { prompt_tokens: number; completion_tokens: number }

/** A round, as `failure_window` looks back at it. */
type RoundFailures = Pick<OracleStats, 'calls' | 'failures'>

/** What an oracle goes on with when a run is taken up; plain JSON, part of a saved state. */
export interface OracleState extends OracleTotals {
  /** The last rounds, oldest first; absent in a state of an earlier version. */
  window?: RoundFailures[]
}

const NOTHING: OracleTotals = {
  tp: 0,
  fp: 0,
  fn: 0,
  tn: 0,
  calls: 0,
  failures: 0,
  cache_hits: 0,
  requests: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
}

export class Oracle {
  readonly #rule: OracleRule
  readonly #spec: OracleSpec
  readonly #judge: Judge
  readonly #referenceColumn: string | undefined
  /** Of the last rounds, oldest first. */
  #window: RoundFailures[]
  #totals: OracleTotals

  private constructor(
    rule: OracleRule,
    spec: OracleSpec,
    judge: Judge,
    referenceColumn: string | undefined,
    { window = [], ...totals }: OracleState,
  ) {
    this.#rule = rule
    this.#spec = spec
    this.#judge = judge
    this.#referenceColumn = referenceColumn
    this.#window = window
    this.#totals = totals
  }

  /**
   * Opens the judge of a recipe; null where it has no oracle. `state` is what was saved before a
   * resume. The caller closes it. Throws `E_CONFIG`, and what the files of a local judge say.
   */
  static async open(config: Recipe, state: OracleState = NOTHING): Promise<Oracle | null> {
    if (!config.grpo) return null
    const { oracle, rewards, data } = config.grpo
    if (oracle.rule === 'none' || !oracle.judge) return null
    const accuracy = rewards.find(reward => reward.name === ACCURACY)
    if (!accuracy) {
      throw new KogrpoError(
        'E_CONFIG',
        phrase(
          'grpo.oracle: rule {rule} calibrates the accuracy reward, but grpo.rewards has none; add - name: accuracy',
          { rule: oracle.rule },
        ),
      )
    }
    const column = accuracy.options?.answer_column
    const cacheFile = join(config.output_dir, 'judge-cache.jsonl')
    const silent = await unreachable(oracle, cacheFile)
    const judge = await openJudge(oracle.judge, {
      programs: builtinPrograms(),
      defaultProgram: data.every(isBuiltin) ? 'mini' : undefined,
      cacheFile,
      modelPath,
      threads: config.threads,
      device: deviceOf(config.device, placeOf(process.env), process.env),
    })
    if (silent) {
      await judge.close()
      throw silent
    }
    const referenceColumn = typeof column === 'string' ? column : undefined
    return new Oracle(oracle.rule, oracle, judge, referenceColumn, state)
  }

  /** The combination in words: who judges, by which rule, and what becomes of failures. */
  describe(): Phrase {
    const { max_failure_rate, failure_window } = this.#spec
    const share = (max_failure_rate * 100).toFixed(0)
    const limit =
      max_failure_rate === 1
        ? phrase('no share of failures stops the run')
        : failure_window === 1
          ? phrase('the run stops when more than {share} % of the verdicts of a round fail', {
              share,
            })
          : phrase(
              'the run stops when more than {share} % of the verdicts of {rounds} rounds fail',
              { share, rounds: failure_window },
            )
    return phrase(
      "oracle {rule}: {meaning}. Judge: {judge}. A failed verdict keeps the checker's value; {limit}",
      {
        rule: this.#rule,
        meaning: written(RULES[this.#rule]),
        judge: this.#judge.description,
        limit,
      },
    )
  }

  /**
   * Asks the judge about some completions by the rule; `checker` holds their accuracy reward. Nothing
   * is counted yet: see `settle`. Any number of calls may be under way.
   */
  async judge(
    input: RewardInput,
    checker: RewardValues,
    signal: AbortSignal,
    onProgress: (done: number, asked: number) => void,
  ): Promise<JudgedBatch> {
    const { judge } = this.#spec
    const items = judgeItems(input, {
      referenceColumn: this.#referenceColumn,
      seeThinking: judge !== undefined && judge.kind !== 'program' && judge.see_thinking,
    })
    return await applyOracle({
      rule: this.#rule,
      judge: this.#judge,
      checker,
      items,
      signal,
      onProgress,
    })
  }

  /** What the judge says is wrong with some completions; it sees their thinking. Null where it failed.
   *  Throws `E_CONFIG` for a judge without words. */
  async critiques(
    input: RewardInput,
    signal: AbortSignal,
  ): Promise<{ words: (string | null)[]; requests: number; tokens: TokenUse | null }> {
    const judge = this.#judge
    if (!judge.critique) {
      throw new KogrpoError(
        'E_CONFIG',
        phrase('grpo.critique: {judge} has no words; use an openai or a local judge', {
          judge: judge.description,
        }),
      )
    }
    const items = judgeItems(input, { referenceColumn: this.#referenceColumn, seeThinking: true })
    const given = await Promise.all(items.map(item => judge.critique!(item, signal)))
    return {
      words: given.map(({ verdict }) => ('critique' in verdict ? verdict.critique : null)),
      requests: given.reduce((sum, { requests }) => sum + requests, 0),
      tokens: sumTokens(given),
    }
  }

  /**
   * Counts what was judged in a generation, in parts; `wall_s` is how long judging was under way. Throws
   * `JudgeUnwell` beyond `max_failure_rate`.
   */
  settle(parts: readonly JudgedBatch[], wall_s: number): Metrics {
    const stats = { ...mergeStats(parts.map(part => part.stats)), latency_s: wall_s }
    this.#refuse(
      parts.flatMap(({ samples }) => samples),
      stats,
    )
    this.#add(stats)
    return oracleMetrics(stats)
  }

  /** For a saved state. */
  state(): OracleState {
    return { ...this.#totals, window: this.#window }
  }

  /** How far the judge's cache reaches now; null where it keeps none. */
  cachePosition(): CachePosition | null {
    return this.#judge.cachePosition?.() ?? null
  }

  /** What is wrong with the judge's cache up to an earlier position, in words; else null. */
  checkCache(position: CachePosition): string | null {
    return this.#judge.checkCache?.(position) ?? null
  }

  /** The whole run, for its summary. */
  summary(): OracleSummary {
    const { calls, failures } = this.#totals
    return {
      rule: this.#rule,
      judge: this.#judge.description,
      ...this.#totals,
      agreement: agreement(this.#totals),
      kappa: cohensKappa(this.#totals),
      failure_rate: calls === 0 ? 0 : failures / calls,
    }
  }

  async close(): Promise<void> {
    await this.#judge.close()
  }

  #refuse(samples: readonly OracleSample[], stats: OracleStats): void {
    const { max_failure_rate, failure_window } = this.#spec
    const { calls: asked, failures: failed } = stats
    const window = [...this.#window, { calls: asked, failures: failed }].slice(-failure_window)
    const calls = window.reduce((sum, round) => sum + round.calls, 0)
    const failures = window.reduce((sum, round) => sum + round.failures, 0)
    if (failed > 0 && failures / calls > max_failure_rate) {
      const example = samples.find(({ failure }) => failure !== null)?.failure
      const share = ((100 * failures) / calls).toFixed(0)
      throw new JudgeUnwell(
        phrase(
          'the judge failed on {failures} of {calls} completions ({share} %), more than grpo.oracle.max_failure_rate {allowed} allows; for one of them: {example}',
          { failures, calls, share, allowed: max_failure_rate, example: String(example) },
        ),
      )
    }
    this.#window = window
  }

  #add(stats: OracleStats): void {
    const totals = this.#totals
    for (const key of Object.keys(NOTHING) as (keyof OracleTotals)[]) {
      if (key === 'prompt_tokens') totals[key] += stats.tokens?.prompt ?? 0
      else if (key === 'completion_tokens') totals[key] += stats.tokens?.completion ?? 0
      else totals[key] += stats[key]
    }
  }
}

/**
 * The error of a judge at whose address nobody listens; null also when failures are no matter, and
 * when verdicts of an earlier run are kept, which may be all that are asked for.
 */
async function unreachable(oracle: OracleSpec, cacheFile: string): Promise<KogrpoError | null> {
  const { judge, max_failure_rate } = oracle
  if (judge?.kind !== 'openai' || max_failure_rate === 1) return null
  if (judge.cache && existsSync(judge.cache_file ?? cacheFile)) return null
  const reason = await whyUnreachable(judge.base_url)
  if (reason === null) return null
  return new KogrpoError(
    'E_JUDGE',
    phrase(
      "grpo.oracle.judge: nobody answers at {base_url} ({reason}); start the judge's server, or correct base_url. Nothing has been trained yet",
      { base_url: judge.base_url, reason },
    ),
  )
}
