import { expect, test } from 'vitest'
import { benchmarkOf } from '../../lib/eval/benchmarks/index.ts'
import { generationRow } from '../../lib/eval/grade.ts'
import type { Item } from '../../lib/eval/items.ts'
import { summarizeRows } from '../../lib/eval/summary.ts'
import { type Judge, type JudgeItem, judgement } from '../../lib/rewards/judge/types.ts'

const item = (name: string): Item => {
  const { example, columns, question } = benchmarkOf(name)
  const source = { record: { ...example }, file: 'q.jsonl', line: 1 }
  return { id: '1', subset: '', ...question(columns.parse(example)), source } as Item
}
const sample = (text: string) => ({ text, tokens: 3, logprob: -1, finish: 'stop' as const })
const none = { compat: 'none' } as const

test('a judge decides, sees no thinking, and its failures are left out', async () => {
  const seen: JudgeItem[] = []
  const judge: Judge = {
    description: 'by hand',
    judge: async asked => {
      seen.push(asked)
      if (asked.answer === '?') return judgement({ failed: 'no idea' })
      return judgement({ verdict: asked.answer.includes('준다') ? 1 : 0 })
    },
    close: async () => {},
  }
  const texts = ['<think>\n비밀\n</think>\n\n수요가 준다', '수요가 는다', '?']
  const row = await generationRow(benchmarkOf('kmmlu'), item('kmmlu'), 'p', texts.map(sample), {
    ...none,
    judge,
  })
  expect(row.samples.map(({ correct }) => correct)).toEqual([1, 0, null])
  expect(row.correct).toBe(0.5)
  expect(seen.map(({ answer, thinking }) => [answer, thinking])).toEqual([
    ['수요가 준다', null],
    ['수요가 는다', null],
    ['?', null],
  ])
  expect(seen[0]!.reference).toBe('B. 줄어든다')
})

test('what cannot be graded is counted and is in no figure', async () => {
  const prose = { ...item('hrm8k'), gold: '두 삼각형은 서로 닮음이다' }
  const open = await generationRow(benchmarkOf('hrm8k'), prose, 'p', [sample('정답: 닮음')], none)
  expect([open.correct, open.correct_majority]).toEqual([null, null])
  const right = await generationRow(
    benchmarkOf('hrm8k'),
    item('hrm8k'),
    'p',
    [sample('<think>\n3+4=7\n</think>\n\n답은 일곱 개')],
    none,
  )
  expect(right.correct).toBe(1)
  const { questions, ungraded, metrics } = summarizeRows([open, right])
  expect([questions, ungraded, metrics.acc!.n, metrics.acc!.value]).toEqual([2, 1, 1, 1])
  expect(() => summarizeRows([open])).toThrow('empty')
})

test('an answer inside of thinking that never ends does not count', async () => {
  const row = await generationRow(
    benchmarkOf('kmmlu'),
    item('kmmlu'),
    'p',
    [sample('<think>\n정답: B')],
    none,
  )
  expect(row).toMatchObject({ correct: 0, correct_majority: 0 })
  expect(row.samples[0]).toMatchObject({ answer: null, correct: 0 })
})

test('of six samples pass@k goes up to six', async () => {
  const texts = ['정답: 7', '정답: 8', '정답: 8', '정답: 8', '정답: 8', '정답: 8']
  const row = await generationRow(
    benchmarkOf('hrm8k'),
    item('hrm8k'),
    'p',
    texts.map(text => sample(`<think>\n3+4\n</think>\n\n${text}`)),
    none,
  )
  const { metrics } = summarizeRows([row])
  const passes = Object.entries(metrics).filter(([name]) => name.startsWith('pass'))
  // One of six is right: k / 6.
  expect(passes.map(([name, { value }]) => [name, Number(value.toFixed(6))])).toEqual([
    ['pass@2', 0.333333],
    ['pass@4', 0.666667],
    ['pass@6', 1],
  ])
})
