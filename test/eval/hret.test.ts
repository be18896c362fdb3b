import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readRecords } from '../../lib/data/readers.ts'
import { hretAnswer, hretPartialMatch, hretStringMatch } from '../../lib/eval/hret.ts'
import { checkAnswer } from '../../lib/rewards/accuracy.ts'
import { processorMs } from '../processor-time.ts'

const GOLDEN = '../shared/data/hret/evaluator_golden_dev.jsonl'

interface Golden {
  id: string
  prediction: string
  reference: string
  final_answer: string
  cot: string
  string_match: object
  partial_match: object
}

describe('the toolkit, as recorded', () => {
  test.skipIf(!existsSync(GOLDEN))('all 372 outputs (skipped: no shared data)', async () => {
    let rows = 0
    for await (const { record } of readRecords(GOLDEN)) {
      const { id, prediction, reference, ...recorded } = record as unknown as Golden
      const { finalAnswer, chainOfThought } = hretAnswer(prediction)
      expect({
        id,
        final_answer: finalAnswer,
        cot: chainOfThought,
        string_match: hretStringMatch(prediction, reference),
        partial_match: hretPartialMatch(prediction, reference),
      }).toEqual({ id, ...recorded })
      rows++
    }
    expect(rows).toBe(372)
  })

  test('takes bounded time on an output full of spaces', () => {
    const start = processorMs()
    const wide = `가${' '.repeat(100_000)}나`
    expect(hretStringMatch(` 정답: ${wide} `, '가 나').correct).toBe(true)
    expect(processorMs() - start).toBeLessThan(2000)
  })

  test('the first marker wins, and a number is text', () => {
    expect(hretAnswer('풀이\n정답: 3\n다시 보니 정답: 4')).toEqual({
      finalAnswer: '3\n다시 보니 정답: 4',
      chainOfThought: '풀이\n정답:',
    })
    expect(hretAnswer(' no marker ').finalAnswer).toBe(' no marker ')
    expect(hretStringMatch('정답: **1,000**', '1000')).toEqual({
      pred: '1,000',
      ref: '1000',
      correct: false,
    })
    expect(hretPartialMatch('answer : 41 apples', '1').correct).toBe(true)
  })

  test('a reference must be an option', () => {
    expect(hretStringMatch('정답: (A)', '(A)', ['(A)', '(B)']).correct).toBe(true)
    expect(hretStringMatch('정답: A', 'A', ['(A)', '(B)']).correct).toBe(false)
    expect(hretPartialMatch('정답: 사과', '사과', ['사과', '배']).correct).toBe(true)
    expect(hretPartialMatch('정답: 사과', '과', ['사과', '배']).correct).toBe(false)
  })

  test('white space is Python’s', () => {
    expect(hretStringMatch('정답\u3000: \u2003A\u00a0B', 'a b').correct).toBe(true)
    expect(hretStringMatch('\ufeffA', 'a').correct).toBe(false)
    expect(hretPartialMatch('정답: 3\u2028 4', '4').correct).toBe(false)
    expect(hretStringMatch('정답: \u001c 5', '5').correct).toBe(true)
  })
})

test('the default reads what the toolkit does not', () => {
  expect(checkAnswer('1000', '<think>\n…\n</think>\n\n정답: 1,000')).toBe(1)
  expect(checkAnswer('4', '정답: 3\n다시 계산하면 정답: 4')).toBe(1)
  expect(checkAnswer('1', '정답: 41')).toBe(0)
})
