import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accuracyReward, checkAnswer } from '../../lib/rewards/accuracy.ts'
import { isEquivalent } from '../../lib/rewards/equivalence.ts'
import { extractAnswer } from '../../lib/rewards/extract.ts'
import type { RewardInput } from '../../lib/rewards/types.ts'
import { processorMs } from '../processor-time.ts'

const equal: [gold: string, answer: string][] = [
  ['150000', '15만원'],
  ['150,000원', '15만 원'],
  ['150000', '150,000'],
  ['15만원', '15만원입니다.'],
  ['120000000', '1억 2천만'],
  ['120000000', '1억 2,000만'],
  ['32000', '3만 2천원'],
  ['32000', '3만2천 원입니다'],
  ['35000', '3.5만원'],
  ['5000', '5천원'],
  ['15', '열다섯 개'],
  ['15', '십오'],
  ['250', '이백오십'],
  ['12345', '만 이천삼백사십오'],
  ['20', '스무 명'],
  ['7', '일곱 마리입니다'],
  ['10000', '만원'],
  ['1/2', '0.5'],
  ['1/2', '2/4'],
  ['0.4', '값은 .4'],
  ['-10/9', '-\\frac{10}{9}'],
  ['12', '4명에게 3개씩이므로, 12개'],
  ['1/2', '\\frac{1}{2}'],
  ['1/2', '$\\dfrac{1}{2}$'],
  ['0.5', '50%'],
  ['50', '50%'],
  ['50%', '\\(50\\%\\)'],
  ['3/4', '4분의 3'],
  ['1.5', '1 1/2'],
  ['1.5', '1\\frac{1}{2}'],
  ['1/3', '0.333333333'],
  ['-3', '−3'],
  ['72', '72.0'],
  ['72', '72.00'],
  ['28.0', '28'],
  ['1000', '1×10^3'],
  ['120000', '1.2e5'],
  ['12', 'x = 12'],
  ['x = 12', '12개'],
  ['12', '총 12개'],
  ['12', '12 apples'],
  ['12', '12송이입니다'],
  ['12', '모두 12개를 샀습니다'],
  ['7', '3+4=7'],
  ['12', '3 × 4'],
  ['90분', '1시간 30분'],
  ['90', '1시간 30분'],
  ['1시간 30분', '한 시간 반'],
  ['3시간', '180분'],
  ['3시 30분', '세 시 반'],
  ['3시 30분', '3:30'],
  ['오후 3시', '15시'],
  ['오후 3시 30분', '15:30'],
  ['5월 3일', '5월 3일입니다'],
  ['2.5km', '2,500m'],
  ['320cm', '3m 20cm'],
  ['1.5kg', '1500g'],
  ['철수', '철수입니다.'],
  ['(1, 2)', '(1,2)'],
  ['2\\sqrt{3}', '$2\\sqrt{3}$'],
  ['１２', '12'],
  ['1,234.5', '1234.5'],
  ['12원', '12 (원)'],
]

const unequal: [gold: string, answer: string][] = [
  ['150000', '150만원'],
  ['150000', '15만5천원'],
  ['15만원', '15원'],
  ['1500000', '15만원'],
  ['5000원', '5000달러'],
  ['3시간', '3시'],
  ['3시간', '3분'],
  ['오후 3시', '오전 3시'],
  ['5월 3일', '3월 5일'],
  ['2km', '2m'],
  ['1/2', '1/3'],
  ['4', '.4'],
  ['13', '12개, 13개'],
  ['13', '12개 또는 13개'],
  ['50', '0.5'],
  ['50%', '5'],
  ['12', '13'],
  ['12', '12 또는 13'],
  ['13', '12 또는 13'],
  ['13', '12, 13'],
  ['5', '3~5'],
  ['4', '3 × 4'],
  ['2', '2x'],
  ['2', '2\\sqrt{3}'],
  ['1/0', '0'],
  ['4', '사과'],
  ['1', '일요일'],
  ['철수', '영희'],
  ['5x - 7y + 4 = 0', 'x + y + 2 = 0'],
  ['', ''],
  ['0', ''],
  ['1000000', '1000001'],
  ['123456789012', '123456789013'],
  ['3', '-3'],
  ['15', '열넷'],
]

describe('isEquivalent', () => {
  for (const [gold, answer] of equal) {
    it(`"${gold}" is "${answer}"`, () => {
      expect(isEquivalent(gold, answer)).toBe(true)
    })
  }
  for (const [gold, answer] of unequal) {
    it(`"${gold}" is not "${answer}"`, () => {
      expect(isEquivalent(gold, answer)).toBe(false)
    })
  }
})

describe('extractAnswer', () => {
  const cases: [text: string, expected: string][] = [
    ['정답: 12개', '12개'],
    ['답: 3\n아니, 다시 계산하면\n답: 5', '5'],
    ['\\boxed{3} 이므로 정답은 4입니다.', '4입니다.'],
    ['정답은 4입니다. \\boxed{3}', '3'],
    ['\\boxed{\\frac{1}{2}}', '\\frac{1}{2}'],
    ['**정답:** 7', '7'],
    ['The answer is 42.', '42.'],
    ['Final Answer: 42', '42'],
    ['A: 26', '26'],
    ['#### 72', '72'],
    ['정답:\n\n  15만원', '15만원'],
    ['최종 답 = 9', '9'],
    ['정답은 12개입니다. 4명에게 3개씩 주기 때문입니다.', '12개입니다'],
    ['답은 다음과 같습니다. 12개', '다음과 같습니다. 12개'],
  ]
  for (const [text, expected] of cases) {
    it(JSON.stringify(text), () => {
      expect(extractAnswer(text)).toMatchObject({ text: expected })
    })
  }

  it('대답 is not a marker; without one the last line with a digit speaks', () => {
    const found = extractAnswer('대답: 3\n모두 4개\n감사합니다')
    expect(found).toEqual({ source: 'last line', text: '모두 4개' })
    expect(extractAnswer('철수입니다')).toEqual({ source: 'last line', text: '철수입니다' })
    expect(extractAnswer(' \n')).toBeNull()
  })
})

describe('checkAnswer', () => {
  it('reads only what stands after the thinking', () => {
    expect(checkAnswer('12', '<think>\n3×4=12\n</think>\n\n정답: 12개')).toBe(1)
    expect(checkAnswer('12', '<think>\n정답: 12\n</think>\n\n모르겠습니다')).toBe(0)
    expect(checkAnswer('12', '<think>\n정답: 12')).toBe(0)
    expect(checkAnswer('12', '정답: 12 <think>x</think>')).toBe(0)
    expect(checkAnswer('12', '<think>\n정답: 12\n</think>')).toBe(0)
    expect(checkAnswer('12', '정답: 12')).toBe(1)
  })

  it('takes the last number when there is no marker', () => {
    expect(checkAnswer('12', '사과 3개씩 4명이므로 12개입니다.')).toBe(1)
    expect(checkAnswer('철수', '철수입니다.')).toBe(1)
    expect(checkAnswer('13', '12개 또는 13개입니다.')).toBe(0)
    expect(checkAnswer('3', '사과 3개씩 4명이므로 12개입니다.')).toBe(0)
    expect(checkAnswer('150000', '가격은 15만 원이에요.')).toBe(1)
  })

  it('a gold solution text gives its own final answer', () => {
    expect(checkAnswer('16 - 3 = 13\n#### 13', '답: 13')).toBe(1)
  })
})

describe('accuracyReward', () => {
  const input = (columns: Record<string, unknown[]>): RewardInput => ({
    prompts: [[], []],
    completions: ['<think>a</think>답: 5', '<think>a</think>답: 6'],
    completionIds: [new Int32Array(3), new Int32Array(3)],
    truncated: [false, false],
    columns,
  })

  it('rates against the column, strings or numbers', async () => {
    expect(await accuracyReward()(input({ answer: ['5', 5] }))).toEqual([1, 0])
    expect(await accuracyReward({ answer_column: 'gold' })(input({ gold: [5, '6개'] }))).toEqual([
      1, 1,
    ])
  })

  it('names a missing column, a missing answer and an unknown option', () => {
    expect(() => accuracyReward()(input({ solution: ['', ''] }))).toThrow(
      /data column 'answer'.*present: solution/,
    )
    expect(() => accuracyReward()(input({ answer: ['5', null] }))).toThrow(/for sample 1 .*null/)
    expect(() => accuracyReward({ column: 'x' })).toThrow(/reward accuracy.*column/)
  })
})

describe('hostile input', () => {
  it('never throws, in bounded time (random strings)', () => {
    const alphabet = [
      ...'0123456789.,/-+×^{}()\\$%:=~ \n',
      ...'만억천백십일이삼한두열분의시원개반',
      'frac',
      'boxed{',
      '정답:',
      '오후 ',
    ]
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...alphabet), { maxLength: 200 }),
        fc.array(fc.constantFrom(...alphabet), { maxLength: 20 }),
        (a, b) => {
          expect([0, 1]).toContain(checkAnswer(b.join(''), a.join('')))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('long repetitive expressions', () => {
    const started = processorMs()
    for (const unit of [
      '(',
      '\\frac{',
      '1,',
      '9',
      '1/',
      '만',
      '\\boxed{',
      '정답:',
      '1 1/',
      '{1}',
      '$',
      '```',
      '\\[',
      '\\(',
      '=',
    ]) {
      for (const text of [unit.repeat(20_000), `정답: ${unit.repeat(20_000)}`]) {
        expect(checkAnswer('12', text), unit).toBe(0)
      }
    }
    expect(processorMs() - started).toBeLessThan(20_000)
  })
})

const shared = join(import.meta.dirname, '../../../shared/data')

describe('real solutions', () => {
  it.skipIf(!existsSync(shared))(
    `agree with their verdicts on GSM8K${existsSync(shared) ? '' : ' (skipped: no shared data)'}`,
    () => {
      const file = join(shared, 'verifier-cases/gsm8k_model_solutions_dev.jsonl')
      const rows = readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map(
          line =>
            JSON.parse(line) as { id: string; gold: string; completion: string; expected: boolean },
        )
      const wrong = rows.filter(
        row => (checkAnswer(row.gold, row.completion) === 1) !== row.expected,
      )
      expect(rows.length).toBe(528)
      expect(wrong.map(row => row.id)).toEqual([])
    },
  )
})
