import { expect, test } from 'vitest'
import { summarizeThinking, thinkingMetrics } from '../../lib/eval/thinking.ts'

const prompt = '사과가 3개, 배가 4개 있다. 모두 몇 개인가?'
const completion = (thinking: string, answer: string): string =>
  `<think>\n${thinking}\n</think>\n\n${answer}`
const measure = (thinking: string, answer: string) =>
  thinkingMetrics(prompt, completion(thinking, answer), null)

test('Korean thinking that agrees with its answer', () => {
  const metrics = measure('사과는 3개이고 배는 4개이다.\n따라서 3 + 4 = 7개이다.', '정답: 7개')
  expect(metrics).toMatchObject({
    thinks: true,
    korean_share: 1,
    korean: true,
    switches: 0,
    switch_places: [],
    chinese: false,
    japanese: false,
    consistent: true,
  })
  expect(metrics.thinking_length).toBe(
    '사과는 3개이고 배는 4개이다.\n따라서 3 + 4 = 7개이다.'.length,
  )
  expect(measure('따라서 7개이다.', '정답: 8').consistent).toBe(false)
  expect(measure('잘 모르겠다', '모르겠습니다').consistent).toBe(false)
})

test('switches and where they are', () => {
  const korean = '먼저 사과의 수를 센다 '.repeat(6)
  const metrics = measure(`${korean}so we add them up now and ${korean}`, '7')
  expect(metrics.switches).toBe(2)
  const [there, back] = metrics.switch_places as [number, number]
  expect(there).toBeCloseTo(0.43, 1)
  expect(back).toBeCloseTo(0.57, 1)
  expect(metrics.korean).toBe(true)
  const { korean_share, korean: mostly } = measure('We add three and four to get 7', '7')
  expect([korean_share, mostly]).toEqual([0, false])
})

test('leaks of Chinese and Japanese, in thinking or answer', () => {
  expect(measure('所以答案是 칠', '7')).toMatchObject({ chinese: true, japanese: false })
  expect(measure('따라서 일곱 개이다', 'これは 7')).toMatchObject({
    chinese: false,
    japanese: true,
  })
})

test('choices, no thinking, and thinking that never ends', () => {
  const choices = ['강', '산']
  const of = (text: string) => thinkingMetrics(prompt, text, choices)
  expect(of(completion('그러므로 정답은 A이다', '정답: A')).consistent).toBe(true)
  expect(of(completion('그러므로 정답은 B이다', '정답: A')).consistent).toBe(false)
  expect(of(completion('생각해 보자', '정답: A')).consistent).toBeNull()
  expect(of('정답: A')).toMatchObject({
    thinks: false,
    korean: false,
    consistent: null,
    switches: null,
  })
  expect(of('<think>\n끝없이')).toMatchObject({ thinks: false, korean: true, answer_length: 0 })
})

test('the summary', () => {
  const summary = summarizeThinking([
    measure('따라서 7개이다.', '정답: 7'),
    measure('따라서 7개이다. and then we go on', '정답: 8'),
    thinkingMetrics(prompt, '7', null),
    measure('所以 7', '7'),
  ])!
  expect(summary).toMatchObject({
    n: 4,
    thinking_rate: 0.75,
    korean_rate: 0.25,
    chinese_leak_rate: 0.25,
    japanese_leak_rate: 0,
    consistency: 2 / 3,
    consistency_n: 3,
    switches: 1 / 3,
  })
  expect(summary.switch_quarters!.reduce((a, b) => a + b)).toBeCloseTo(1, 12)
  expect(summarizeThinking([])).toBeNull()
})
