/** Progress and summary in Korean: the words, and columns that stay straight where Hangul is two wide. */
import { expect, test } from 'vitest'
import { ko } from '../../lib/messages/ko.ts'
import { sayIn } from '../../lib/messages/phrase.ts'
import type { EvalResults } from '../../lib/report/events.ts'
import { Progress } from '../../lib/report/progress.ts'
import { summaryLines } from '../../lib/report/summary.ts'
import { displayWidth } from '../../lib/report/width.ts'

const say = sayIn(ko)
const results: EvalResults = {
  accuracy: 0.5,
  accuracy_ci95: [0.4, 0.6],
  korean_thinking_rate: 1,
  format_rate: 1,
  mean_length: 40,
  n: 100,
}

test('the table at the end', () => {
  const rl = { ...results, accuracy: 1, mean_length: 123.4 }
  const [head, base, last] = summaryLines(
    { base: results, rl, paired_differences: {}, wall_s: 1, seed: 1 },
    say,
  )
  expect(head).toBe('       정확도      95 % 구간  한국어 생각     형식  평균 길이    n')
  expect([base, last].map(line => displayWidth(line!))).toEqual([
    displayWidth(head!),
    displayWidth(head!),
  ])
})

test('progress of a stage', () => {
  const out: string[] = []
  const output = { write: (text: string) => out.push(text) }
  const progress = new Progress({ output, now: () => 0, say })
  progress.handle({ type: 'stage_start', stage: 'sft', max_steps: 2 })
  progress.handle({ type: 'step', stage: 'sft', step: 1, metrics: { loss: 1.5 } })
  progress.handle({ type: 'eval', stage: 'base', results })
  progress.handle({ type: 'note', level: 'warning', message: '…' })
  progress.close()
  const text = out.join('')
  for (const words of [
    'sft: 2스텝',
    'sft 1/2 · 손실 1.500',
    'base: 정확도 50.0 % (95 %: 40.0 … 60.0 %), 한국어 생각 100.0 %',
    '경고: …',
  ]) {
    expect(text).toContain(words)
  }
})
