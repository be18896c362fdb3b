/**
 * Whether two expressions have the same value: by form; exactly, where both are rational; else
 * numerically at a few fixed pseudo-random points of both signs, where both are defined. A point at
 * which one side is real and the other is not lies outside of a common domain and is passed over.
 */
import { abs, type Complex, minus, over } from './complex.ts'
import { exactValue } from './exact.ts'
import { type Expr, keyOf, someNode, symbolsOf } from './expr.ts'
import { numericValue, type Point } from './numeric.ts'
import { isInteger, type Rational, toNumber } from './rational.ts'

const POINTS = 8
/** Relative agreement of doubles that counts as equality. */
const CLOSE = 1e-9

/** The same value, decimals to `precision` places. */
export function equalValues(a: Expr, b: Expr, precision: number): boolean {
  if (keyOf(a) === keyOf(b)) return true
  const [x, y] = [exactValue(a), exactValue(b)]
  const rounded = isDecimal(a) || isDecimal(b)
  if (x !== null && y !== null) return equalNumbers(x, y, precision, rounded)
  const constant = symbolsOf(a).size === 0 && symbolsOf(b).size === 0
  let compared = 0
  for (let k = 0; k < POINTS; k++) {
    const at = pointOf(k)
    const verdict = agree(numericValue(a, at), numericValue(b, at), rounded ? precision : null)
    if (verdict === false) return false
    if (verdict === true) compared++
    if (constant && compared > 0) return true
  }
  return compared >= 2
}

/** Whether a / b is one constant (not 0) at every point; with `positive`, a positive one. */
export function proportional(a: Expr, b: Expr, positive = false): boolean {
  let first: Complex | null = null
  let compared = 0
  for (let k = 0; k < POINTS; k++) {
    const at = pointOf(k)
    const ratio = over(numericValue(a, at), numericValue(b, at))
    if (!isFiniteValue(ratio)) continue
    if (abs(ratio) < CLOSE || (positive && (ratio.re <= 0 || Math.abs(ratio.im) > CLOSE)))
      return false
    first ??= ratio
    if (abs(minus(ratio, first)) > CLOSE * abs(first) * 10) return false
    compared++
  }
  return compared >= 2
}

/**
 * Equality of exact values. Integers are exact. Where a side is written as a decimal, or with
 * `rounded`, they agree to `precision` decimal places, small values to about as many digits.
 */
export function equalNumbers(
  a: Rational,
  b: Rational,
  precision: number,
  rounded: boolean,
): boolean {
  if (a.num === b.num && a.den === b.den) return true
  if (!rounded || (isInteger(a) && isInteger(b))) return false
  const [left, right] = [a.num * b.den, b.num * a.den]
  const difference = toNumber({
    num: left > right ? left - right : right - left,
    den: a.den * b.den,
  })
  return difference < tolerance(Math.max(Math.abs(toNumber(a)), Math.abs(toNumber(b))), precision)
}

function tolerance(size: number, precision: number): number {
  return Math.min(0.5 * 10 ** -precision, size * 10 ** (2 - precision)) * 1.000001
}

/** Null where the two cannot be compared. */
function agree(a: Complex, b: Complex, precision: number | null): boolean | null {
  if (!isFiniteValue(a) || !isFiniteValue(b)) return null
  const size = Math.max(abs(a), abs(b))
  const isReal = (z: Complex): boolean => Math.abs(z.im) <= CLOSE * Math.max(1, size)
  if (isReal(a) !== isReal(b)) return null
  const limit =
    precision === null ? CLOSE * size : Math.max(tolerance(size, precision), CLOSE * size)
  return abs(minus(a, b)) <= Math.max(limit, size < 1e-6 && precision === null ? 1e-15 : 0)
}

/** A decimal numeral anywhere: its writer may have rounded. */
function isDecimal(a: Expr): boolean {
  return someNode(a, node => node.type === 'number' && node.decimal)
}

/** Values in ±[0.3, 2.8], fixed by the symbol's name and k; constants have none. */
function pointOf(k: number): Point {
  return name => {
    if (name === 'e' || name === 'i') return Number.NaN
    let hash = 2166136261 ^ (k * 0x9e3779b1)
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619)
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
    const unit = ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32
    const size = 0.3 + 2.5 * unit
    // Half of the points are all positive: logarithms and roots are defined there.
    return k % 2 === 1 && (hash & 1) === 1 ? -size : size
  }
}

function isFiniteValue(z: Complex): boolean {
  return Number.isFinite(z.re) && Number.isFinite(z.im)
}
