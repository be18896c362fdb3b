import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { agree, finalOf } from '../../lib/reward-model/particles.ts'
import { PERTURBATIONS, type Perturbation, perturb } from '../../lib/reward-model/perturb.ts'

/** Every outcome that the choices of `below` can lead to, for small numbers of choices. */
function outcomes(text: string, kind: Perturbation): Set<string> {
  const found = new Set<string>()
  for (let seed = 0; seed < 600; seed++) {
    let state = seed
    const below = (bound: number): number => {
      const choice = state % bound
      state = Math.floor(state / bound) + seed * 7
      return choice
    }
    const changed = perturb(text, kind, below)
    if (changed === null) return found
    expect(changed.text).not.toBe(text)
    expect(changed.text.slice(0, changed.at)).toBe(text.slice(0, changed.at))
    found.add(changed.text)
  }
  return found
}

test.each([
  ['3', 1],
  ['4', 0],
  ['7', 2],
  ['10', 1],
  ['사과', 0],
  ['물', 2],
  ['책', 1],
  ['kg', null],
])('the sound at the end of %s', (word, final) => {
  expect(finalOf(word)).toBe(final)
})

test.each([
  ['4', '을', '를'],
  ['3', '를', '을'],
  ['7', '으로', '로'],
  ['3', '로', '으로'],
  ['2', '이다.', '이다.'],
  ['2', '은', '는'],
  ['6', '와', '과'],
  ['5', '으로는', '로는'],
  ['5', '개를', '개를'],
])('behind %s, %s becomes %s', (word, rest, expected) => {
  expect(agree(word, rest)).toBe(expected)
})

test('numeral: one number but the last, with its particle', () => {
  const found = outcomes('3을 두 번 쓰면 12이다.', 'numeral')
  expect(found).toContain('4를 두 번 쓰면 12이다.')
  expect(found).toContain('3을 세 번 쓰면 12이다.')
  expect([...found].every(text => text.endsWith('12이다.'))).toBe(true)
  // 9 other digits, 9 other native numerals.
  expect(found.size).toBe(18)
  expect(outcomes('이백오십 원이다.', 'numeral')).toContain('이백육십 원이다.')
  expect(outcomes('이 사람이 일했다.', 'numeral').size).toBe(0)
})

test('answer: the last number, one unit more or less', () => {
  expect(outcomes('2 + 3 = 5, 답은 19를 쓴다.', 'answer')).toEqual(
    new Set(['2 + 3 = 5, 답은 20을 쓴다.', '2 + 3 = 5, 답은 18을 쓴다.']),
  )
  expect(outcomes('값은 3.50이다', 'answer')).toEqual(new Set(['값은 3.51이다', '값은 3.49이다']))
  expect(outcomes('모두 1,000원', 'answer')).toEqual(new Set(['모두 1,001원', '모두 999원']))
  expect(outcomes('0개', 'answer')).toEqual(new Set(['1개']))
  expect(outcomes('모른다.', 'answer').size).toBe(0)
})

test.each([
  ['5에 3을 더하면 8', '5에서 3을 빼면 8'],
  ['12에서 4를 빼면 8', '12에 4를 더하면 8'],
  ['6개에 2를 곱하면 12', '6개를 2로 나누면 12'],
  ['6에 3을 곱하면 18', '6을 3으로 나누면 18'],
  ['20을 4로 나누면 5', '20에 4를 곱하면 5'],
  ['2 × 3 = 6', '2 ÷ 3 = 6'],
])('operation: %s becomes %s', (text, expected) => {
  expect(outcomes(text, 'operation')).toEqual(new Set([expected]))
})

test('particle: another role, in the form that the word wants; other words stay', () => {
  expect(outcomes('철수는 사과를 샀다.', 'particle')).toEqual(
    new Set([
      '철수가 사과를 샀다.',
      '철수를 사과를 샀다.',
      '철수는 사과가 샀다.',
      '철수는 사과는 샀다.',
    ]),
  )
})

test('ending: one sentence falls out of the register', () => {
  expect(outcomes('3개입니다. 모두 샀습니다. 끝냈다고 말합니다.', 'ending')).toEqual(
    new Set([
      '3개이다. 모두 샀습니다. 끝냈다고 말합니다.',
      '3개입니다. 모두 샀습니다. 끝냈다고 말한다.',
    ]),
  )
  expect(outcomes('답은 3이다.', 'ending')).toEqual(new Set(['답은 3입니다.']))
})

const shared = '../shared/data/nolli'
test.skipIf(!existsSync(shared))('real traces: nearly all take a mistake of each kind', () => {
  const solutions = readFileSync(`${shared}/korean_units_ko_easy.jsonl`, 'utf8')
    .trim()
    .split('\n')
    .map(line => (JSON.parse(line) as { solution: string }).solution)
  const share = (kind: Perturbation): number =>
    solutions.filter(text => perturb(text, kind, bound => bound - 1) !== null).length /
    solutions.length
  expect(PERTURBATIONS.map(kind => [kind, share(kind)])).toMatchInlineSnapshot(`
    [
      [
        "numeral",
        1,
      ],
      [
        "operation",
        0,
      ],
      [
        "answer",
        1,
      ],
      [
        "particle",
        1,
      ],
      [
        "ending",
        1,
      ],
    ]
  `)
})
