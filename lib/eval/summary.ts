/**
 * The figures of an evaluation from its rows alone, so that they can be made again from the file.
 * Intervals are 95 %: Wilson's for single answers, the bootstrap over questions where a question has
 * several samples.
 */
import { bootstrap, bootstrapMean } from './bootstrap.ts'
import { powersUpTo } from './diversity.ts'
import type { GenerationRow, LikelihoodRow, Row } from './grade.ts'
import { macroF1, passAtK } from './samples.ts'
import { mean, proportion } from './statistics.ts'
import { summarizeThinking, type ThinkingSummary } from './thinking.ts'

export interface Figure {
  value: number
  ci95: [number, number]
  /** Questions. */
  n: number
}

export interface EvaluationSummary {
  /** Questions in all, and those whose answer could not be graded (they are in no figure). */
  questions: number
  ungraded: number
  /** By name: acc, acc_norm, macro_f1; avg@n, pass@k, maj@n, best@n. The first is the score. */
  metrics: Record<string, Figure>
  score: string
  subsets: Record<string, Figure>
  thinking: ThinkingSummary | null
  /** Share of samples without a recognisable answer, and of those cut at the length limit. */
  unanswered_rate: number | null
  truncated_rate: number | null
  mean_tokens: number | null
  /** Of questions in steps: how many samples miss which step first ("none": no step). */
  missed_steps: Record<string, number> | null
}

/** The score of one question that comparisons use; null where it is ungraded. */
export const scoreOf = (row: Row): number | null => row.correct

function figure(values: readonly number[], seed: number): Figure {
  const binary = values.every(value => value === 0 || value === 1)
  if (binary) {
    const { value, ci95, n } = proportion(values.map(v => v === 1))
    return { value, ci95: [ci95.low, ci95.high], n }
  }
  const { low, high } = bootstrapMean(values, { seed })
  return { value: mean(values), ci95: [low, high], n: values.length }
}

function likelihoodMetrics(
  rows: readonly LikelihoodRow[],
  withF1: boolean,
  seed: number,
): Record<string, Figure> {
  const metrics: Record<string, Figure> = {
    acc: figure(
      rows.map(row => row.correct),
      seed,
    ),
    acc_norm: figure(
      rows.map(row => row.correct_norm),
      seed,
    ),
  }
  if (withF1)
    metrics.macro_f1 = f1(
      rows.map(({ gold, answer }) => [gold as number, answer]),
      seed,
    )
  return metrics
}

function f1(pairs: readonly (readonly [number, number | null])[], seed: number): Figure {
  const of = (drawn: readonly (readonly [number, number | null])[]): number =>
    macroF1(
      drawn.map(([gold]) => gold),
      drawn.map(([, answer]) => answer),
    )
  const { low, high } = bootstrap(pairs, of, { seed, resamples: 1000 })
  return { value: of(pairs), ci95: [low, high], n: pairs.length }
}

function generationMetrics(
  rows: readonly GenerationRow[],
  withF1: boolean,
  seed: number,
): Record<string, Figure> {
  const n = Math.max(...rows.map(row => row.samples.length))
  const metrics: Record<string, Figure> = {
    [n === 1 ? 'acc' : `avg@${n}`]: figure(
      rows.map(row => row.correct!),
      seed,
    ),
  }
  if (n > 1) {
    for (const k of powersUpTo(n).slice(1)) {
      // A question with fewer graded samples than k has no pass@k.
      const values = rows.flatMap(({ samples }) => {
        const known = samples.flatMap(({ correct }) => correct ?? [])
        const right = known.filter(correct => correct === 1).length
        return known.length < k ? [] : [passAtK(known.length, right, k)]
      })
      if (values.length > 0) metrics[`pass@${k}`] = figure(values, seed)
    }
    const voted = rows.flatMap(row => row.correct_majority ?? [])
    if (voted.length > 0) metrics[`maj@${n}`] = figure(voted, seed)
    const best = rows.flatMap(row => row.correct_best ?? [])
    if (best.length > 0) metrics[`best@${n}`] = figure(best, seed)
  } else if (withF1) {
    const answerOf = ({ answer }: { answer: number | string | null }): number | null =>
      typeof answer === 'number' ? answer : null
    metrics.macro_f1 = f1(
      rows.map(({ gold, samples }) => [gold as number, answerOf(samples[0]!)]),
      seed,
    )
  }
  return metrics
}

interface SummaryOptions {
  macroF1?: boolean | undefined
  /** Of the bootstrap. */
  seed?: number
}

/** Throws `E_EVAL` when no row is graded. */
export function summarizeRows(
  rows: readonly Row[],
  { macroF1: withF1 = false, seed = 0 }: SummaryOptions = {},
): EvaluationSummary {
  const graded = rows.filter(row => scoreOf(row) !== null)
  mean(graded.map(row => scoreOf(row)!))
  const likelihood = graded.filter(row => row.mode === 'likelihood')
  const generated = graded.filter(row => row.mode === 'generation')
  const metrics =
    likelihood.length > 0
      ? likelihoodMetrics(likelihood, withF1, seed)
      : generationMetrics(generated, withF1, seed)
  const subsets = new Map<string, Row[]>()
  for (const row of graded) {
    const part = subsets.get(row.subset)
    if (part) part.push(row)
    else subsets.set(row.subset, [row])
  }
  const samples = rows.flatMap(row => (row.mode === 'generation' ? row.samples : []))
  const share = (of: (s: (typeof samples)[number]) => number): number | null =>
    samples.length === 0 ? null : mean(samples.map(of))
  const steps = samples.flatMap(({ missed_step }) =>
    missed_step === undefined ? [] : [String(missed_step ?? 'none')],
  )
  const missed: Record<string, number> = {}
  for (const step of steps.sort()) missed[step] = (missed[step] ?? 0) + 1
  return {
    questions: rows.length,
    ungraded: rows.length - graded.length,
    metrics,
    score: Object.keys(metrics)[0]!,
    subsets: Object.fromEntries(
      [...subsets].map(([name, part]) => [
        name,
        figure(
          part.map(row => scoreOf(row)!),
          seed,
        ),
      ]),
    ),
    thinking: summarizeThinking(samples.map(({ thinking }) => thinking)),
    unanswered_rate: share(({ answer }) => Number(answer === null)),
    truncated_rate: share(({ finish }) => Number(finish === 'length')),
    mean_tokens: share(({ tokens }) => tokens),
    missed_steps: steps.length === 0 ? null : missed,
  }
}
