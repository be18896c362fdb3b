import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkMiniAnswer, type MiniTask } from '../../lib/mini/checker.ts'
import { inKoreanUnits } from '../../lib/mini/korean.ts'
import { generateProblem } from '../../lib/mini/problems.ts'

const won = (answer: string): MiniTask => ({ answer, unit: '원' })
const minutes: MiniTask = { answer: '150', unit: '분' }
const arrival: MiniTask = {
  answer: '30',
  unit: '분',
  question: '2시 40분에 출발해 50분 걸려 도착했습니다. 도착한 시각은 3시 몇 분입니까?',
}
const date: MiniTask = {
  answer: '6',
  unit: '일',
  question: '3월 12일에서 25일이 지나면 4월 며칠입니까?',
}
const afternoon: MiniTask = { answer: '2', unit: '시', question: '마친 시각은 오후 몇 시입니까?' }

const right: readonly [MiniTask, string][] = [
  [won('6000'), '정답: 6000원'],
  [won('6000'), '정답: 6,000원'],
  [won('6000'), '정답：6000원'],
  [won('6000'), '정답: 6천원입니다.'],
  [won('6000'), '정답: 육천원'],
  [won('6000'), '정답: 육천 원입니다'],
  [won('1000'), '정답: 천원'],
  [won('10000'), '정답: 만원'],
  [won('150000'), '정답: 15만원'],
  [won('150000'), '정답: 십오만원'],
  [won('32000'), '정답: 3만 2천원'],
  [won('32000'), '정답: 3만2천원'],
  [won('32000'), '정답: 3만 2000원'],
  [won('32000'), '정답: 삼만 이천원'],
  [won('32500'), '정답: 3만 2천 5백원'],
  [won('120000000'), '정답: 1억 2천만원'],
  [won('6000'), '<think>\n3×2000=6000원.\n</think>\n\n정답: 6000원'],
  [won('6000'), '사과 3개는 6000원이다.\n정답: 6000'],
  [won('6000'), '정답: 민수가 낸 돈은 6000원입니다.'],
  [won('6000'), '정답: 6000원 (6천원)'],
  [won('6000'), '6000원입니다.'],
  [won('6000'), '정답: 6000원<|im_end|>'],
  [minutes, '정답: 150분'],
  [minutes, '정답: 2시간 30분'],
  [{ answer: '120', unit: '분' }, '정답: 2시간'],
  [{ answer: '2300', unit: 'm' }, '정답: 2km 300m'],
  [{ answer: '25', unit: '일' }, '정답: 3주 4일'],
  [{ answer: '15', unit: '일' }, '정답: 십오 일'],
  [{ answer: '12', unit: '살' }, '정답: 12세'],
  [{ answer: '12', unit: '개' }, 'Answer: 12'],
  [arrival, '정답: 30분'],
  [arrival, '정답: 3시 30분입니다.'],
  [date, '정답: 4월 6일'],
  [afternoon, '정답: 오후 2시'],
]
const wrong: readonly [MiniTask, string][] = [
  [won('6000'), '정답: 60006000원'],
  [won('6000'), '정답: 6000원 또는 5000원'],
  [won('6000'), '정답: 5000원, 6000원'],
  [won('6000'), '정답: 6000원\n정답: 5000원'],
  [won('6000'), '정답: 6000원이 아니다'],
  [won('6000'), '정답: -6000원'],
  [won('6000'), '정답: 06000원'],
  [won('6000'), '정답: 3×2000=6000원'],
  [won('6000'), '정답: 6000.5원'],
  [won('6000'), '정답: 6,00,0원'],
  [won('6000'), '정답: 6000개'],
  [won('6000'), '정답: 6만원'],
  [won('6000'), '정답: 6원'],
  [won('6000'), '정답: 6000 6000 1'],
  [won('6000'), '정답:'],
  [won('6000'), ''],
  [won('6000'), '정답: 사과'],
  [won('6000'), '<think>\n정답: 6000원'],
  [won('6000'), '6000원이다.\n정답: 7000원'],
  [won('32000'), '정답: 3만 2백원'],
  [won('32000'), '정답: 2천 3만원'],
  [minutes, '정답: 150시간'],
  [minutes, '정답: 2시 30분'],
  [minutes, '정답: 2시간 90분'],
  [arrival, '정답: 4시 30분'],
  [arrival, '정답: 3시'],
  [date, '정답: 5월 6일'],
  [afternoon, '정답: 오전 2시'],
  [afternoon, '정답: 14시'],
]

describe('checkMiniAnswer', () => {
  it.each(right)('%j is answered by %j', (task, text) => {
    expect(checkMiniAnswer(task, text)).toEqual({ verdict: true, reason: 'states the gold answer' })
  })

  it.each(wrong)('%j is not answered by %j', (task, text) => {
    expect(checkMiniAnswer(task, text).verdict).toBe(false)
  })

  it('agrees with the generator: gold answers pass, flawed ones fail', () => {
    let flawed = 0
    for (let seed = 0; seed < 4000; seed++) {
      const problem = generateProblem(seed, { noise: 0.5, terse: 0.5, unitAnswer: 0.5 })
      if (problem.flawed) flawed++
      for (const { thinking, answer } of [problem.korean, problem.english]) {
        const text = `<think>\n${thinking}\n</think>\n\n${answer}`
        expect(checkMiniAnswer(problem, text).verdict, `${problem.question} ${answer}`).toBe(
          !problem.flawed,
        )
      }
    }
    expect(flawed).toBeGreaterThan(1800)
  })

  it('reads every sum of money in 만 and 천', () => {
    for (let amount = 1000; amount < 1_000_000; amount += 1000) {
      const text = `정답: ${inKoreanUnits(amount)}원`
      expect(checkMiniAnswer(won(String(amount)), text).verdict, text).toBe(true)
      expect(checkMiniAnswer(won(String(amount + 1000)), text).verdict, text).toBe(false)
    }
  })

  it('takes any text, and passes none that holds a number other than the gold one', () => {
    const pieces = [
      ...'0123456789,.만천백십일이삼 원개분시-()',
      '정답: ',
      '\n',
      '입니다',
      '</think>',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 40 }), parts => {
        const text = parts.join('')
        const { verdict } = checkMiniAnswer(won('12000'), text)
        if (!verdict) return
        const stated = text.split('</think>').at(-1)!.split('정답: ').slice(1).join(' ')
        for (const digits of stated.match(/\d[\d,]*/g) ?? []) {
          expect(['12000', '12,000', '12', '1', '2', '2000', '2,000']).toContain(
            digits.replace(/,$/, ''),
          )
        }
      }),
      { numRuns: 3000, seed: 1 },
    )
    const long = `정답: ${'일 천 만 '.repeat(3000)}`
    expect(checkMiniAnswer(won('12000'), long).verdict).toBe(false)
  })

  it('refuses a gold answer it cannot read', () => {
    expect(() => checkMiniAnswer({ answer: '3:30' }, '정답: 3')).toThrow(/3:30/)
  })
})
