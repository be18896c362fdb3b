/**
 * Numerical value of an expression with its symbols at given points. Nodes that cannot be evaluated
 * (limits, integrals, sums without numeric bounds) stand for an unknown of their own, named by their
 * form, so that expressions around them still compare. Bounded: a step budget for the whole value.
 */

import type { Complex } from './complex.ts'
import * as C from './complex.ts'
import { type Apply, type Expr, keyOf } from './expr.ts'
import { toNumber } from './rational.ts'

/** The value of a free symbol by name. */
export type Point = (name: string) => number

const MAX_STEPS = 50_000
const MAX_TERMS = 1000
const NAN: Complex = { re: Number.NaN, im: Number.NaN }

const UNARY: Readonly<Record<string, (z: Complex) => Complex>> = {
  sin: C.sin,
  cos: C.cos,
  tan: z => C.over(C.sin(z), C.cos(z)),
  cot: z => C.over(C.cos(z), C.sin(z)),
  sec: z => C.over(C.real(1), C.cos(z)),
  csc: z => C.over(C.real(1), C.sin(z)),
  sinh: C.sinh,
  cosh: C.cosh,
  tanh: z => C.over(C.sinh(z), C.cosh(z)),
  coth: z => C.over(C.cosh(z), C.sinh(z)),
  sech: z => C.over(C.real(1), C.cosh(z)),
  csch: z => C.over(C.real(1), C.sinh(z)),
  arcsin: C.arcsin,
  arccos: C.arccos,
  arctan: C.arctan,
  arccot: z => C.minus(C.real(Math.PI / 2), C.arctan(z)),
  arcsec: z => C.arccos(C.over(C.real(1), z)),
  arccsc: z => C.arcsin(C.over(C.real(1), z)),
  arcsinh: C.arcsinh,
  arccosh: C.arccosh,
  arctanh: C.arctanh,
  abs: z => C.real(C.abs(z)),
  percent: z => C.scale(z, 0.01),
  floor: z => onReal(z, Math.floor),
  ceil: z => onReal(z, Math.ceil),
  factorial: z => onReal(z, factorial),
}

/** The value at `point`; parts are NaN or infinite where it is not defined. Never throws. */
export function numericValue(a: Expr, point: Point): Complex {
  let steps = 0
  const evaluate = (node: Expr, at: Point): Complex => {
    if (++steps > MAX_STEPS) return NAN
    if (node.type === 'number') return C.real(toNumber(node.value))
    if (node.type === 'symbol') return symbolValue(node.name, at)
    const large = largeValue(node, at, evaluate)
    if (large !== null) return large
    const value = applied(
      node,
      node.args.map(arg => evaluate(arg, at)),
    )
    return value ?? C.real(at(`form ${keyOf(node)}`))
  }
  return evaluate(a, point)
}

function symbolValue(name: string, at: Point): Complex {
  if (name === 'pi') return C.real(Math.PI)
  if (name === 'infinity') return C.real(Number.POSITIVE_INFINITY)
  const value = at(name)
  if (!Number.isNaN(value)) return C.real(value)
  if (name === 'e') return C.real(Math.E)
  return name === 'i' ? { re: 0, im: 1 } : NAN
}

function applied(node: Apply, args: readonly Complex[]): Complex | null {
  const [x, y] = args
  const unary = Object.hasOwn(UNARY, node.head) ? UNARY[node.head] : undefined
  if (unary !== undefined) return unary(x!)
  switch (node.head) {
    case 'add':
      return args.reduce(C.plus)
    case 'multiply':
      return args.reduce(C.times)
    case 'power':
      return C.pow(x!, y!)
    case 'root':
      return C.root(x!, y!)
    case 'ratio':
      return args.length === 2 ? C.over(x!, y!) : null
    case 'log':
      return C.over(C.log(x!), C.log(y!))
    case 'mod':
      return C.real(x!.re - y!.re * Math.floor(x!.re / y!.re))
    case 'max':
      return C.real(Math.max(...args.map(z => z.re)))
    case 'min':
      return C.real(Math.min(...args.map(z => z.re)))
    case 'binomial':
      return C.real(factorial(x!.re) / (factorial(y!.re) * factorial(x!.re - y!.re)))
    case 'set':
      return args.length === 1 ? x! : null
    default:
      return null
  }
}

/** Sums and products over few integers, term by term; null for anything else. */
function largeValue(
  node: Apply,
  at: Point,
  evaluate: (a: Expr, at: Point) => Complex,
): Complex | null {
  if ((node.head !== 'sum' && node.head !== 'prod') || node.args.length !== 4) return null
  const [body, variable, from, to] = node.args as [Expr, Expr, Expr, Expr]
  if (variable.type !== 'symbol') return null
  const [low, high] = [evaluate(from, at).re, evaluate(to, at).re]
  if (!Number.isInteger(low) || !Number.isInteger(high) || high - low >= MAX_TERMS) return null
  const sum = node.head === 'sum'
  let total = C.real(sum ? 0 : 1)
  for (let k = low; k <= high; k++) {
    const term = evaluate(body, name => (name === variable.name ? k : at(name)))
    total = sum ? C.plus(total, term) : C.times(total, term)
  }
  return total
}

function onReal(z: Complex, f: (x: number) => number): Complex {
  return z.im === 0 ? C.real(f(z.re)) : NAN
}

/** x! = Γ(x + 1), Lanczos' approximation (g = 7, n = 9). */
function factorial(x: number): number {
  if (Number.isInteger(x)) {
    if (x < 0) return Number.NaN
    let product = 1
    for (let n = 2; n <= Math.min(x, 171); n++) product *= n
    return product
  }
  if (x < -0.5) return Math.PI / (Math.sin(Math.PI * -x) * factorial(-x - 1))
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
    12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ]
  const t = x + 7.5
  const series = coefficients.reduce((sum, c, i) => sum + c / (x + i + 1), 0.9999999999998099)
  return Math.sqrt(2 * Math.PI) * t ** (x + 0.5) * Math.exp(-t) * series
}
