/** Evaluations as tables on a console. */

import type { Comparison } from '../eval/comparison.ts'
import type { EvaluationSummary, Figure } from '../eval/summary.ts'
import { phrase, type Say } from '../messages/phrase.ts'
import { percent } from '../report/summary.ts'
import { table } from '../report/width.ts'

/** Subsets shown; the summary file has all. */
const SHOWN_SUBSETS = 60

const interval = ([low, high]: readonly [number, number]): string =>
  `${percent(low)} … ${percent(high)}`
const cells = (name: string, { value, ci95, n }: Figure): string[] => [
  name,
  percent(value),
  interval(ci95),
  String(n),
]

/** One evaluation. */
export function summaryTable(title: string, summary: EvaluationSummary, say: Say): string[] {
  const { metrics, subsets, thinking, questions, ungraded } = summary
  const names = Object.entries(subsets)
  const rows = [
    ['', '', '95 %', say('questions')],
    ...Object.entries(metrics).map(([name, value]) => cells(name, value)),
    ...(names.length > 1
      ? names.slice(0, SHOWN_SUBSETS).map(([name, value]) => cells(`  ${name || '–'}`, value))
      : []),
  ]
  const lines = [title, '', ...table(rows, ['left', 'right', 'left', 'right'])]
  if (names.length > SHOWN_SUBSETS)
    lines.push(`  ${say('and {count} more subsets', { count: names.length - SHOWN_SUBSETS })}`)
  if (ungraded > 0)
    lines.push(
      say('{ungraded} of {questions} questions could not be graded', { ungraded, questions }),
    )
  if (summary.unanswered_rate !== null) {
    lines.push(
      '',
      say('no answer found: {none}; cut at the length limit: {cut}; {tokens} tokens a sample', {
        none: percent(summary.unanswered_rate),
        cut: percent(summary.truncated_rate!),
        tokens: summary.mean_tokens!.toFixed(0),
      }),
    )
  }
  if (summary.missed_steps !== null) {
    const counts = Object.entries(summary.missed_steps)
    lines.push(
      say('first step missed: {steps}', {
        steps: counts.map(([step, n]) => `${step}: ${n}`).join(', '),
      }),
    )
  }
  if (thinking !== null) {
    const agree =
      thinking.consistency === null
        ? phrase('not measurable')
        : phrase('{share} of {count}', {
            share: percent(thinking.consistency),
            count: thinking.consistency_n,
          })
    lines.push(
      say(
        'thinking: in {thinks}, Korean in {korean}, {length} characters; switches {switches} a sample',
        {
          thinks: percent(thinking.thinking_rate),
          korean: percent(thinking.korean_rate),
          length: thinking.thinking_length.toFixed(0),
          switches: (thinking.switches ?? 0).toFixed(2),
        },
      ),
      say(
        'leaks: Chinese {chinese}, Japanese {japanese}; answer agrees with the thinking: {agree}',
        {
          chinese: percent(thinking.chinese_leak_rate),
          japanese: percent(thinking.japanese_leak_rate),
          agree,
        },
      ),
    )
  }
  return lines
}

interface Compared {
  name: string
  summary: EvaluationSummary
  /** Against the first; null for the first itself. */
  comparison: Comparison | null
}

const points = (share: number): string =>
  `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)}`

const FINDINGS = {
  better: phrase('better'),
  worse: phrase('worse'),
  'within the noise': phrase('within the noise'),
}

/** Several checkpoints on the same questions. */
export function comparisonTable(all: readonly Compared[], say: Say): string[] {
  const rows = all.map(({ name, summary, comparison }) => {
    const { value, ci95, n } = summary.metrics[summary.score]!
    const own = [name, String(n), percent(value), interval(ci95)]
    if (comparison === null) return [...own, '', '', '', '', '']
    const { difference, ci95: span, gained, lost, p, finding } = comparison
    return [
      ...own,
      points(difference),
      `${points(span[0])} … ${points(span[1])}`,
      `+${gained} −${lost}`,
      p < 0.001 ? '< 0.001' : p.toFixed(3),
      say(FINDINGS[finding]),
    ]
  })
  const score = all[0]?.summary.score ?? ''
  const head = [
    ...['', say('questions'), score, '95 %', say('difference'), '95 %', say('questions'), 'p', ''],
  ]
  const right = new Set([1, 2, 4, 7])
  return table(
    [head, ...rows],
    head.map((_, i) => (right.has(i) ? 'right' : 'left')),
  )
}
