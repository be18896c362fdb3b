/**
 * Whether an answer means the gold answer; the contract is docs/rewards.md. An answer is read in up
 * to three ways, each exact in itself:
 *
 *   quantity  a number with Korean numerals and units (math/quantity.ts): 1억 2천만 원, 세 시 반
 *   formula   a tree (math/grammar.ts), compared by math/compare.ts: \frac{\pi}{3}, [0,1), x ≥ 5
 *   text      anything else, as characters without spaces, case and polite endings: 철수입니다
 *
 * An answer that is a phrase gives its last formula between delimiters or its last quantity. Nothing
 * is run as code; every reader is bounded in time, depth and digits.
 */
import { equalExprs } from './math/compare.ts'
import { apply, type Expr, isApply, number } from './math/expr.ts'
import { parseNormalized } from './math/grammar.ts'
import { formulaOfPhrase, quantityOfPhrase, withoutEnding } from './math/phrase.ts'
import { equalQuantities, parseQuantity, type Quantity } from './math/quantity.ts'
import { normalizeMath, plainFractions } from './math/text.ts'
import { splitUnit, type Unit } from './math/units.ts'

interface EquivalenceOptions {
  /** Decimal places to which a decimal must agree; default 6. */
  precision?: number
}

const LONGEST = 1000
/** "x = 12": one name for the value, as against an equation. */
const NAMED = /^[\p{L}]{1,12}(?:_\{?\w{1,4}\}?)?\s*=\s*/u

interface Reading {
  /** Normalised text. */
  text: string
  quantity: Quantity | null
  expr: Expr | null
  unit: Unit | null
}

/** True when `candidate` is equivalent to `gold`; an empty gold equals nothing. Never throws. */
export function isEquivalent(
  gold: string,
  candidate: string,
  { precision = 6 }: EquivalenceOptions = {},
): boolean {
  const expected = normalizeMath(gold.slice(0, 4000))
  const actual = normalizeMath(candidate.slice(0, 4000))
  if (expected === '' || actual === '') return false
  const wanted = compact(expected)
  if (wanted !== '' && wanted === compact(actual)) return true
  if (expected.length > LONGEST || actual.length > LONGEST) return false
  const goal = read(expected)
  if (goal.quantity === null && goal.expr === null) return sameText(wanted, actual)
  const whole = read(actual)
  if (agree(goal, whole, precision)) return true
  if (otherNumerals(actual).some(text => agree(goal, read(text), precision))) return true
  if (otherNumerals(expected).some(text => agree(read(text), whole, precision))) return true
  if (whole.quantity !== null || whole.expr !== null) return false
  const formula = formulaOfPhrase(candidate.slice(0, 4000), actual)
  if (formula !== null) return agree(goal, read(formula), precision)
  if (goal.quantity === null) return sameText(wanted, actual)
  const phrase = plainFractions(actual)
  // "2,74 €": the decimal comma, where the phrase has one.
  return [phrase, phrase.replace(/(?<![\d,])(\d+),(\d{1,2})(?![\d,])/g, '$1.$2')].some(text => {
    const quantity = quantityOfPhrase(text)
    return quantity !== null && equalQuantities(goal.quantity!, quantity, precision)
  })
}

/**
 * Whether `gold` is prose: several words without a number or a sign of mathematics. A rule can
 * neither confirm nor refute it.
 */
export function isProse(gold: string): boolean {
  const text = normalizeMath(gold.slice(0, 4000))
  if (text === '' || /\d|\\|[=<>^_+*/]/.test(text) || /\\text|\$/.test(gold)) return false
  const { quantity, expr } = read(text)
  return quantity === null && expr === null && /\S\s+\S/.test(text)
}

function read(text: string): Reading {
  const bare = withoutEnding(text.replace(/^["'“‘「『]+|["'”’」』.]+$/g, ''))
  const plain = plainFractions(bare).replace(NAMED, '')
  const quantity = parseQuantity(plain)
  const { body, unit } = splitUnit(bare)
  return { text, quantity, expr: parseNormalized(body), unit }
}

function agree(gold: Reading, answer: Reading, precision: number): boolean {
  if (gold.quantity !== null && answer.quantity !== null) {
    return equalQuantities(gold.quantity, answer.quantity, precision)
  }
  const [a, b] = [exprOf(gold), exprOf(answer)]
  if (a === null || b === null) return false
  const [u, v] = [unitOf(gold), unitOf(answer)]
  if (u === null || v === null || u.dimension === null || v.dimension === null) {
    return equalExprs(a, b, precision) || percentAgrees(a, b, precision)
  }
  return u.dimension === v.dimension && equalExprs(inUnit(a, u), inUnit(b, v), precision)
}

/** A quantity that no formula reads (Korean numerals) as the number written. */
function exprOf({ quantity, expr }: Reading): Expr | null {
  return expr ?? (quantity === null ? null : number(quantity.written))
}

function unitOf({ quantity, unit, expr }: Reading): Unit | null {
  if (expr !== null || quantity === null) return unit
  return { dimension: quantity.dimension, factor: { num: 1n, den: 1n } }
}

function inUnit(a: Expr, unit: Unit): Expr {
  return apply('multiply', a, number(unit.factor))
}

/** 20 % of a formula is both 20 and 1/5. */
function percentAgrees(a: Expr, b: Expr, precision: number): boolean {
  const bare = (x: Expr): Expr => (isApply(x, 'percent') ? x.args[0]! : x)
  const one = isApply(a, 'percent') !== isApply(b, 'percent')
  return one && equalExprs(bare(a), bare(b), precision)
}

/** Other readings of a numeral: a decimal comma (2,74), thousands by spaces (1 000) or ", " (1, 000). */
function otherNumerals(text: string): string[] {
  const readings: string[] = []
  const comma = /^([-+]?\d+),(\d+)(\s?(?:[€%]|[\p{L}]{1,8}).{0,6})?$/u.exec(text)
  if (comma !== null && (comma[2]!.length !== 3 || comma[1] === '0')) {
    readings.push(`${comma[1]}.${comma[2]}${comma[3] ?? ''}`)
  }
  if (/^[-+]?\d{1,3}(?:[ ,]\s?\d{3})+(?:\.\d+)?$/.test(text)) {
    readings.push(text.replace(/[ ,]+/g, ''))
  }
  return readings
}

function sameText(wanted: string, actual: string): boolean {
  const last = actual.slice(Math.max(actual.lastIndexOf('='), actual.lastIndexOf('\\approx')) + 1)
  return wanted !== '' && (wanted === compact(last) || wanted === compact(withoutArticle(last)))
}

function withoutArticle(text: string): string {
  return text.trim().replace(/^(?:an?|the)\s+/i, '')
}

/** The characters that are compared: no spaces but between digits, no case, no option brackets, no polite ending. */
function compact(text: string): string {
  return text
    .replace(/(?<!\d)\s+|\s+(?!\d)/g, '')
    .replace(/(?:(?:입니다|이에요|예요|이다)[.!。]*|[.。]*)$/, '')
    .replace(/^\(([^()]*)\)$/, '$1')
    .replace(/^["'“”‘’「『]+|["'“”‘’」』]+$/g, '')
    .toLowerCase()
}
