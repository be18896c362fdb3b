import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checkMiniAnswer } from '../../lib/mini/checker.ts'
import { hasFinalConsonant } from '../../lib/mini/korean.ts'
import { ELDERS, GOODS, NAMES, PARENTS, PLACES, TREATS, VEHICLES } from '../../lib/mini/lexicon.ts'
import {
  FAMILIES,
  generateProblem,
  isHeldOut,
  type Problem,
  type ProblemOptions,
} from '../../lib/mini/problems.ts'

const COUNT = 20_000

function many(count: number, options: ProblemOptions = {}, first = 0): Problem[] {
  return Array.from({ length: count }, (_, index) => generateProblem(first + index, options))
}

/** Value of an expression in this notation; only digits and operators reach the evaluator. */
function evaluate(expression: string): number {
  if (!/^[\d+\-×÷()]+$/.test(expression)) throw new Error(`not an expression: ${expression}`)
  const code = expression.replaceAll('×', '*').replaceAll('÷', '/')
  return new Function(`return ${code}`)() as number
}

/** The sums of a trace: [left side, stated result]. */
function sums(thinking: string): [string, number][] {
  return [...thinking.matchAll(/([\d+\-×÷()]+)=(\d+)/g)].map(([, left, value]) => [
    left!,
    Number(value),
  ])
}

const problems = many(COUNT)

describe('generateProblem', () => {
  it('states true sums only, and the last one is the gold answer', () => {
    const wrong = problems.filter(problem => {
      const traces = [problem.korean, problem.english].map(trace => {
        const told = sums(trace.thinking)
        return (
          told.length === problem.steps &&
          told.every(([left, value]) => evaluate(left) === value) &&
          String(told[told.length - 1]![1]) === problem.answer &&
          trace.answer === `정답: ${problem.answer}${problem.unit}`
        )
      })
      const gold = evaluate(problem.expression) === Number(problem.answer)
      const canonical = /^[1-9]\d*$/.test(problem.answer)
      return problem.flawed || !gold || !canonical || traces.includes(false)
    })
    expect(wrong).toEqual([])
  })

  it('uses only numbers of the question, earlier results and conversion factors', () => {
    // 만 and 천 in full; a day, hour, week, month or year in smaller units; half a day; the counting
    // of both ends; there and back; lengths of months where the question does not give them.
    const strange: string[] = []
    const known = [1, 2, 7, 12, 24, 30, 31, 60, 1000, 10_000]
    for (const problem of problems) {
      const plain = problem.question
        .replace(/(\d),(\d{3})/g, '$1$2')
        .replace(/(\d+)만 (\d+)천/g, (_, m: string, c: string) => `${m}${c}000`)
        .replace(/(\d+)만/g, '$10000')
        .replace(/(\d+)천/g, '$1000')
      const numbers = new Set([...(plain.match(/\d+/g) ?? []).map(Number), ...known])
      for (const [left, value] of sums(problem.korean.thinking)) {
        for (const operand of left.match(/\d+/g) ?? []) {
          if (!numbers.has(Number(operand))) strange.push(`${operand}: ${problem.question} ${left}`)
        }
        numbers.add(value)
      }
    }
    expect(strange).toEqual([])
  })

  it('thinks in one language at a time', () => {
    const hangul = /\p{Script=Hangul}/u
    const mixed = problems.filter(({ korean, english }) => {
      const latin = /[A-Za-z]/.test(korean.thinking.replace(/km|m/g, ''))
      return hangul.test(english.thinking) || latin || !hangul.test(korean.thinking)
    })
    expect(mixed).toEqual([])
  })

  it('writes the right particle after every noun, name and counter', () => {
    const things = [...GOODS, ...TREATS]
    const words = new Set([
      ...NAMES,
      ...things.map(thing => thing.ko),
      ...[...ELDERS, ...PARENTS].map(person => person.ko),
      ...PLACES,
      ...VEHICLES,
    ])
    const counters = new Set([...things.map(thing => thing.unit.ko), '원', '상자', '바구니'])
    const wrong: string[] = []
    let checked = 0
    const check = (text: string): void => {
      for (const [, word, number, counter, particle] of text.matchAll(
        /(?:([가-힣]+?)|(\d)([가-힣]+?))(은|는|이|가|을|를|과|와)(?= )/gu,
      )) {
        const noun = counter ?? word!
        if (number === undefined ? !words.has(noun) : !counters.has(noun)) continue
        const closed = '은이을과'.includes(particle!)
        if (closed !== hasFinalConsonant(noun)) wrong.push(`${noun}${particle} in ${text}`)
        checked++
      }
    }
    for (const problem of problems) {
      check(problem.question)
      check(problem.korean.thinking)
    }
    expect(wrong).toEqual([])
    expect(checked).toBeGreaterThan(COUNT)
    expect(hasFinalConsonant('사과')).toBe(false)
    expect(hasFinalConsonant('공책')).toBe(true)
  })

  it('covers every family and 1 to 4 steps, without many repeats', () => {
    for (const family of FAMILIES) {
      const own = problems.filter(problem => problem.family === family)
      expect(own.length).toBeGreaterThan((COUNT / FAMILIES.length) * 0.9)
      expect(new Set(own.map(problem => problem.question)).size).toBeGreaterThan(own.length * 0.8)
    }
    for (const steps of [1, 2, 3, 4]) {
      expect(problems.filter(problem => problem.steps === steps).length).toBeGreaterThan(COUNT / 20)
    }
  })

  it('keeps the sides of the split apart by numbers and by text', () => {
    const heldOut = many(3000, { split: 'heldout' })
    const keys = new Set(problems.map(problem => problem.key))
    const questions = new Set(problems.map(problem => problem.question))
    for (const problem of heldOut) {
      expect(keys.has(problem.key)).toBe(false)
      expect(questions.has(problem.question)).toBe(false)
      expect(isHeldOut(problem.key)).toBe(true)
    }
    expect(new Set(heldOut.map(problem => problem.template)).size).toBe(
      new Set(problems.map(problem => problem.template)).size,
    )
  })

  it('depends on its seed alone, and the question not on how it is told', () => {
    for (const seed of [0, 7, 123_456_789, 2n ** 63n + 5n]) {
      const plain = generateProblem(seed)
      expect(generateProblem(seed)).toEqual(plain)
      const told = generateProblem(seed, { noise: 1, terse: 1, unitAnswer: 1 })
      expect(told.question).toBe(plain.question)
      expect(told.answer).toBe(plain.answer)
    }
    const digest = createHash('sha256').update(JSON.stringify(problems.slice(0, 2000)))
    // The base model is reproduced bit for bit from this text: a change here means new weights.
    expect(digest.digest('hex').slice(0, 16)).toBe('60e47dfe64e9d4df')
  })

  it('makes wrong traces at the asked rate, each with a wrong answer', () => {
    const noisy = many(4000, { noise: 0.25, terse: 0.5 })
    const flawed = noisy.filter(problem => problem.flawed)
    expect(Math.abs(flawed.length / noisy.length - 0.25)).toBeLessThan(0.03)
    for (const problem of flawed) {
      const right = `정답: ${problem.answer}${problem.unit}`
      expect(problem.korean.answer).not.toBe(right)
      expect(problem.english.answer).toBe(problem.korean.answer)
      expect(problem.korean.answer).toMatch(/^정답: [1-9]\d*\D+$/)
    }
    const terse = noisy.filter(problem => problem.terse && !problem.flawed)
    for (const problem of terse) {
      expect(sums(problem.korean.thinking)).toEqual([[problem.expression, Number(problem.answer)]])
    }
    expect(terse.length).toBeGreaterThan(1000)
  })

  it('obeys families and steps, and names an option it cannot meet', () => {
    for (const problem of many(300, { families: ['age', 'date'], minSteps: 2, maxSteps: 3 })) {
      expect(['age', 'date']).toContain(problem.family)
      expect([2, 3]).toContain(problem.steps)
    }
    expect(() => generateProblem(0, { noise: 1.5 })).toThrow(/noise is 1.5/)
    expect(() => generateProblem(0, { minSteps: 5 })).toThrow(/minSteps 5/)
    expect(() => generateProblem(0, { families: ['tax' as 'age'] })).toThrow(/"tax"/)
  })
})

it('varied answers: a sentence or the results before the line, all right under the judge', () => {
  const forms = { line: 0, sentence: 0, recap: 0 }
  for (let seed = 0; seed < 300; seed++) {
    const options = { variedAnswer: 0.8, minSteps: 2 }
    const problem = generateProblem(seed, options)
    const { answer } = problem.korean
    const plain = generateProblem(seed, { minSteps: 2 })
    expect(problem.question).toBe(plain.question)
    expect(problem.korean.thinking).toBe(plain.korean.thinking)
    expect(problem.english).toEqual(plain.english)
    if (answer === plain.korean.answer) forms.line++
    else if (answer.endsWith(`. ${plain.korean.answer}`)) forms.recap++
    else if (answer === `${plain.korean.answer.replace('정답: ', '')}입니다.`) forms.sentence++
    const task = { answer: problem.answer, unit: problem.unit, question: problem.question }
    expect(checkMiniAnswer(task, answer), answer).toMatchObject({ verdict: true })
  }
  // 20 %, 80 % · 60 %, 80 % · 40 %, each within three standard deviations of 300 draws.
  expect(forms.line + forms.recap + forms.sentence).toBe(300)
  expect(forms.line).toBeGreaterThan(39)
  expect(forms.line).toBeLessThan(81)
  expect(forms.recap).toBeGreaterThan(118)
  expect(forms.recap).toBeLessThan(170)
})
