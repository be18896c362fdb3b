/**
 * Exact rational value of an expression without irrational parts: arithmetic, integer powers,
 * factorials, roots of perfect powers, absolute value, floor, gcd … Null where there is none, or
 * where it would be too large (rational.ts bounds every result).
 */
import { type Expr, isApply } from './expr.ts'
import {
  add,
  floor,
  gcd,
  invert,
  isBounded,
  isInteger,
  multiply,
  negate,
  power,
  type Rational,
  rational,
} from './rational.ts'

const MAX_FACTORIAL = 500n

/** The value, or null. Never throws. */
export function exactValue(a: Expr): Rational | null {
  const value = evaluate(a)
  return value !== null && isBounded(value) ? value : null
}

function evaluate(a: Expr): Rational | null {
  if (a.type === 'number') return a.value
  if (a.type === 'symbol') return null
  if (isApply(a, 'set') && a.args.length === 1) return exactValue(a.args[0]!)
  const args: Rational[] = []
  for (const arg of a.args) {
    const value = exactValue(arg)
    if (value === null) return null
    args.push(value)
  }
  const [x, y] = args
  if (x === undefined) return null
  switch (a.head) {
    case 'add':
      return bounded(args, add)
    case 'multiply':
      return bounded(args, multiply)
    case 'power':
      if (isInteger(y!)) return power(x, y!.num)
      return y!.den < 64n ? rootOf(power(x, y!.num), y!.den) : null
    case 'root':
      return isInteger(y!) && y!.num > 1n && y!.num < 64n ? rootOf(x, y!.num) : null
    case 'percent':
      return multiply(x, { num: 1n, den: 100n })
    case 'abs':
      return x.num < 0n ? negate(x) : x
    case 'floor':
      return { num: floor(x), den: 1n }
    case 'ceil':
      return { num: -floor(negate(x)), den: 1n }
    case 'factorial':
      return factorial(x)
    case 'max':
      return args.reduce((p, q) => (p.num * q.den >= q.num * p.den ? p : q))
    case 'min':
      return args.reduce((p, q) => (p.num * q.den <= q.num * p.den ? p : q))
    case 'gcd':
      return args.every(isInteger) ? { num: args.map(v => v.num).reduce(gcd), den: 1n } : null
    case 'lcm':
      return args.every(isInteger) ? lcm(args.map(v => v.num)) : null
    case 'mod':
      return remainder(x, y!)
    case 'binomial':
      return binomial(x, y!)
    case 'base':
      return inBase(x, y!)
    default:
      return null
  }
}

function bounded(
  args: readonly Rational[],
  operation: (a: Rational, b: Rational) => Rational,
): Rational | null {
  let result = args[0]!
  for (const arg of args.slice(1)) {
    result = operation(result, arg)
    if (!isBounded(result)) return null
  }
  return result
}

/** The real n-th root where it is rational. */
function rootOf(value: Rational | null, degree: bigint): Rational | null {
  if (value === null) return null
  if (value.num < 0n) {
    if (degree % 2n === 0n) return null
    const positive = rootOf(negate(value), degree)
    return positive === null ? null : negate(positive)
  }
  const [num, den] = [integerRoot(value.num, degree), integerRoot(value.den, degree)]
  return num === null || den === null ? null : { num, den }
}

/** n with n^degree = value, by bisection on bits; null when there is none. */
function integerRoot(value: bigint, degree: bigint): bigint | null {
  let low = 0n
  let high = 1n << BigInt(Math.ceil((value.toString(16).length * 4) / Number(degree)) + 1)
  while (low < high) {
    const middle = (low + high) / 2n
    if (middle ** degree < value) low = middle + 1n
    else high = middle
  }
  return low ** degree === value ? low : null
}

function factorial(x: Rational): Rational | null {
  if (!isInteger(x) || x.num < 0n || x.num > MAX_FACTORIAL) return null
  let product = 1n
  for (let n = 2n; n <= x.num; n++) product *= n
  return { num: product, den: 1n }
}

function binomial(n: Rational, k: Rational): Rational | null {
  if (!isInteger(n) || !isInteger(k) || k.num < 0n || n.num < k.num || n.num > 1000n) return null
  let result = 1n
  for (let i = 1n; i <= k.num; i++) result = (result * (n.num - k.num + i)) / i
  return { num: result, den: 1n }
}

function lcm(values: readonly bigint[]): Rational {
  const positive = values.map(v => (v < 0n ? -v : v))
  return { num: positive.reduce((a, b) => (a * b) / gcd(a, b)), den: 1n }
}

function remainder(a: Rational, b: Rational): Rational | null {
  const inverse = invert(b)
  if (inverse === null) return null
  return add(a, negate(multiply(b, { num: floor(multiply(a, inverse)), den: 1n })))
}

/** The numeral `digits` read in base b, 2 ≤ b ≤ 36. */
function inBase(digits: Rational, base: Rational): Rational | null {
  if (!isInteger(digits) || !isInteger(base) || base.num < 2n || base.num > 36n) return null
  let value = 0n
  for (const digit of digits.num.toString()) {
    if (BigInt(digit) >= base.num) return null
    value = value * base.num + BigInt(digit)
  }
  return rational(value)
}
