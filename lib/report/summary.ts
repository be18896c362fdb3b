/**
 * summary.json, and what the console shows at the end: the table base / SFT / RL with paired
 * differences, and the answers of the three models to one held-out problem.
 */

import { inEnglish, type Say } from '../messages/phrase.ts'
import type {
  ComparisonName,
  Consumer,
  EvalResults,
  EvalStageName,
  OracleSummary,
  RunEvent,
  Showcase,
  Summary,
} from './events.ts'
import { writeJson } from './run-directory.ts'
import { printable, table, wrap } from './width.ts'

const STAGE_TITLES: Record<EvalStageName, string> = { base: 'base', sft: 'SFT', rl: 'RL' }

const COMPARISON_TITLES: Record<ComparisonName, string> = {
  sft_minus_base: 'SFT − base',
  rl_minus_sft: 'RL − SFT',
  rl_minus_base: 'RL − base',
}

/** Writes summary.json when the run ends with one. */
export class SummaryWriter implements Consumer {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  handle(event: RunEvent): void {
    if (event.type === 'run_end' && event.summary) writeJson(this.#path, event.summary)
  }
}

/** A share as a percentage with one decimal, "–" for a number that is not finite. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : '–'
}

/** The percentages of an interval, "–" for an end that is not finite. */
function interval([low, high]: readonly [number, number]): string {
  const end = (x: number): string => (Number.isFinite(x) ? (x * 100).toFixed(1) : '–')
  return `${end(low)} … ${end(high)} %`
}

function signed(share: number): string {
  if (!Number.isFinite(share)) return '–'
  const points = (share * 100).toFixed(1)
  return Number(points) > 0 ? `+${points}` : points.replace('-', '−')
}

/** One line for one evaluation, e.g. as soon as it is made. */
export function evalLine(stage: EvalStageName, results: EvalResults, say: Say = inEnglish): string {
  return say(
    '{stage}: accuracy {accuracy} (95 %: {interval}), Korean thinking {korean}, format {format}, mean length {length} tokens, n = {n}',
    {
      stage: STAGE_TITLES[stage],
      accuracy: percent(results.accuracy),
      interval: interval(results.accuracy_ci95),
      korean: percent(results.korean_thinking_rate),
      format: percent(results.format_rate),
      length: results.mean_length.toFixed(1),
      n: results.n,
    },
  )
}

/** The table of all evaluations and the paired differences of accuracy, as lines. */
export function summaryLines(summary: Summary, say: Say = inEnglish): string[] {
  const head = [
    say('accuracy'),
    say('95 % interval'),
    say('Korean thinking'),
    say('format'),
    say('mean length'),
  ]
  const rows = [['', ...head, 'n']]
  for (const stage of ['base', 'sft', 'rl'] as const) {
    const results = summary[stage]
    if (results === undefined) continue
    rows.push([
      STAGE_TITLES[stage],
      percent(results.accuracy),
      interval(results.accuracy_ci95),
      percent(results.korean_thinking_rate),
      percent(results.format_rate),
      results.mean_length.toFixed(1),
      String(results.n),
    ])
  }
  if (rows.length === 1) return summary.oracle ? oracleLines(summary.oracle, say) : []
  const lines = table(rows, ['left', 'right', 'right', 'right', 'right', 'right', 'right'])
  const differences: string[][] = []
  for (const name of ['sft_minus_base', 'rl_minus_sft', 'rl_minus_base'] as const) {
    const paired = summary.paired_differences[name]?.accuracy
    if (paired === undefined) continue
    const [low, high] = paired.ci95
    differences.push([
      COMPARISON_TITLES[name],
      say('{points} points of accuracy', { points: signed(paired.difference) }),
      `(95 %: ${signed(low)} … ${signed(high)}, n = ${paired.n})`,
    ])
  }
  if (differences.length > 0) lines.push('', ...table(differences, ['left', 'right', 'left']))
  if (summary.oracle) lines.push('', ...oracleLines(summary.oracle, say))
  return lines
}

/** What the oracle said and took over the whole run. */
function oracleLines(oracle: OracleSummary, say: Say): string[] {
  const { tp, fp, fn, tn, agreement, kappa, calls, failures, failure_rate } = oracle
  const { cache_hits, requests, prompt_tokens, completion_tokens } = oracle
  const said = [
    say('oracle {rule}: checker and judge right {tp}, wrong {tn}', { rule: oracle.rule, tp, tn }),
    say('only the checker says right {fp}, only the judge {fn}', { fp, fn }),
    ...(agreement === null ? [] : [say('agreement {share}', { share: percent(agreement) })]),
    ...(kappa === null ? [] : [say('kappa {kappa}', { kappa: kappa.toFixed(2) })]),
  ]
  const took = [
    say('{calls} verdicts asked for', { calls }),
    say('{failures} failed ({share})', { failures, share: percent(failure_rate) }),
    ...(requests + cache_hits > 0
      ? [say('{hits} from the cache, {requests} requests', { hits: cache_hits, requests })]
      : []),
    ...(prompt_tokens > 0
      ? [
          say('{read} tokens read, {written} written', {
            read: prompt_tokens,
            written: completion_tokens,
          }),
        ]
      : []),
  ]
  return [said.join(', '), took.join(', ')]
}

/** A held-out problem and the completions of each model, wrapped to `columns`, as lines. */
export function showcaseLines(showcase: Showcase, columns: number, say: Say = inEnglish): string[] {
  const width = Math.max(20, Math.min(columns, 100) - 4)
  const block = (text: string): string[] =>
    wrap(printable(text).trim(), width).map(line => `    ${line}`.trimEnd())
  const lines = [say('A held-out problem'), ...block(showcase.prompt)]
  if (showcase.answer !== undefined) {
    lines.push(say('  answer: {answer}', { answer: printable(showcase.answer) }))
  }
  for (const { stage, text, correct } of showcase.completions) {
    const verdict = correct === undefined ? '' : correct ? say(' (correct)') : say(' (wrong)')
    lines.push(
      '',
      `  ${STAGE_TITLES[stage]}${verdict}`,
      ...block(text === '' ? say('(empty)') : text),
    )
  }
  return lines
}
