/**
 * Random rational expressions, whose value the test computes for itself: each equals its value in
 * lowest terms, whichever way it is written, and no other value.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isEquivalent } from '../../../lib/rewards/equivalence.ts'

interface Written {
  text: string
  num: bigint
  den: bigint
}

const { term } = fc.letrec<{ term: Written; leaf: Written }>(tie => ({
  leaf: fc
    .integer({ min: 0, max: 99 })
    .map((n): Written => ({ text: String(n), num: BigInt(n), den: 1n })),
  term: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    tie('leaf'),
    fc.tuple(tie('term'), tie('term')).map(([a, b]) => ({
      text: `(${a.text} + ${b.text})`,
      num: a.num * b.den + b.num * a.den,
      den: a.den * b.den,
    })),
    fc.tuple(tie('term'), tie('term')).map(([a, b]) => ({
      text: `\\left(${a.text} - ${b.text}\\right)`,
      num: a.num * b.den - b.num * a.den,
      den: a.den * b.den,
    })),
    fc.tuple(tie('term'), tie('term')).map(([a, b]) => ({
      text: `${a.text} \\cdot ${b.text}`.replace(/^(.*)$/, '($1)'),
      num: a.num * b.num,
      den: a.den * b.den,
    })),
    fc.tuple(tie('term'), tie('term')).map(([a, b]) => ({
      text: b.num === 0n ? `(${a.text})` : `\\frac{${a.text}}{${b.text}}`,
      num: b.num === 0n ? a.num : a.num * b.den,
      den: b.num === 0n ? a.den : a.den * b.num,
    })),
    tie('term').map(a => ({ text: `(${a.text})^2`, num: a.num ** 2n, den: a.den ** 2n })),
  ),
}))

function lowest({ num, den }: Written, shift = 0n): string {
  let [a, b] = [num + shift * den, den]
  if (b < 0n) [a, b] = [-a, -b]
  let [x, y] = [a < 0n ? -a : a, b]
  while (y !== 0n) [x, y] = [y, x % y]
  if (x > 1n) [a, b] = [a / x, b / x]
  return b === 1n ? `${a}` : `${a}/${b}`
}

describe('random arithmetic', () => {
  it('an expression equals its value, and not its value plus one', () => {
    fc.assert(
      fc.property(term, written => {
        fc.pre(written.text.length < 600)
        expect(isEquivalent(lowest(written), written.text)).toBe(true)
        expect(isEquivalent(written.text, lowest(written))).toBe(true)
        expect(isEquivalent(lowest(written, 1n), written.text)).toBe(false)
      }),
      { numRuns: 400, seed: 11 },
    )
  })

  it('sums commute, also with symbols and roots', () => {
    fc.assert(
      fc.property(term, term, (a, b) => {
        fc.pre(a.text.length + b.text.length < 400 && a.num * b.den !== b.num * a.den)
        const [x, y] = [`(${a.text})x`, `(${b.text})\\sqrt{y}`]
        expect(isEquivalent(`${x} + ${y}`, `${y} + ${x}`)).toBe(true)
        expect(isEquivalent(`${x} + ${y}`, `(${b.text})x + (${a.text})\\sqrt{y}`)).toBe(false)
      }),
      { numRuns: 200, seed: 13 },
    )
  })
})

describe('random numerals', () => {
  /** Signed integers and decimals with a few digits, as text and as a scaled integer. */
  const numeral = fc
    .tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: 0, max: 3 }))
    .map(([digits, places]) => ({
      text: places === 0 ? String(digits) : (digits / 10 ** places).toFixed(places),
      thousandths: digits * 10 ** (3 - places),
    }))

  it('two numerals are equal exactly when their values are, with and without a unit', () => {
    fc.assert(
      fc.property(numeral, numeral, fc.constantFrom('', '원', 'km', ' 개', '℃'), (a, b, unit) => {
        const same = a.thousandths === b.thousandths
        expect(isEquivalent(`${a.text}${unit}`, `${b.text}${unit}`)).toBe(same)
        expect(isEquivalent(a.text, `정답은 ${b.text}${unit}입니다`)).toBe(same)
        expect(isEquivalent(`$${a.text}$`, `x = ${b.text}`)).toBe(same)
      }),
      { numRuns: 1000, seed: 17 },
    )
  })
})
