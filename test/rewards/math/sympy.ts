/**
 * Reads the SymPy constructor expressions of latex2sympy's own tests ("_Mul(7, _Pow(3, -1))") into
 * the reward's tree, so that a parse can be held against what that parser builds.
 */
import {
  apply,
  divided,
  E,
  type Expr,
  I,
  INFINITY,
  integer,
  negated,
  number,
  PI,
  relation,
  symbol,
} from '../../../lib/rewards/math/expr.ts'
import { fromDecimal } from '../../../lib/rewards/math/rational.ts'

const CONSTANTS: Record<string, Expr> = {
  pi: PI,
  E,
  I,
  oo: INFINITY,
  'S.Half': divided(integer(1), integer(2)),
  'S.EmptySet': apply('set'),
}
const RELATIONS: Record<string, string> = {
  Eq: '=',
  Ne: '≠',
  StrictLessThan: '<',
  LessThan: '≤',
  StrictGreaterThan: '>',
  GreaterThan: '≥',
}
const NAMES: Record<string, string> = {
  asin: 'arcsin',
  acos: 'arccos',
  atan: 'arctan',
  asinh: 'arcsinh',
  acosh: 'arccosh',
  atanh: 'arctanh',
  Abs: 'abs',
  ceiling: 'ceil',
  Mod: 'mod',
  Max: 'max',
  Min: 'min',
  Limit: 'limit',
  Derivative: 'derivative',
  Product: 'prod',
  Sum: 'sum',
  Integral: 'integral',
}

/** The tree of a SymPy expression; throws on anything outside of the test file's vocabulary. */
export function fromSympy(source: string): Expr {
  const tokens = [
    ...source.matchAll(/\*\*|[A-Za-z_][\w.]*|\d+(?:\.\d+)?|'(?:[^'\\]|\\.)*'|[-+*/(),[\]=]/g),
  ].map(match => match[0])
  let at = 0
  const take = (text: string): boolean => tokens[at] === text && ++at > 0
  const sum = (): Expr => {
    let left = product()
    for (;;) {
      if (take('+')) left = apply('add', left, product())
      else if (take('-')) left = apply('add', left, negated(product()))
      else return left
    }
  }
  const product = (): Expr => {
    let left = unary()
    for (;;) {
      if (take('*')) left = apply('multiply', left, unary())
      else if (take('/')) left = divided(left, unary())
      else return left
    }
  }
  const unary = (): Expr => (take('-') ? negated(unary()) : power())
  const power = (): Expr => {
    const base = primary()
    return take('**') ? apply('power', base, unary()) : base
  }
  const list = (close: string): Expr[] => {
    const items: Expr[] = []
    while (!take(close)) {
      // Keyword arguments (evaluate=False, real=True, dir='+') but the direction are of no interest.
      if (tokens[at + 1] === '=') {
        const [name, , value] = tokens.slice(at, at + 3)
        at += 3
        if (name === 'dir') items.push(symbol(value!.slice(1, -1)))
      } else items.push(sum())
      take(',')
    }
    return items
  }
  const primary = (): Expr => {
    if (take('(')) {
      const items = list(')')
      return items.length === 1 ? items[0]! : apply('()', ...items)
    }
    if (take('[')) return apply('list', ...list(']'))
    const token = tokens[at++]!
    if (/^\d/.test(token)) return number(fromDecimal(token)!, token.includes('.'))
    if (token.startsWith("'")) return symbol(token.slice(1, -1))
    if (!take('(')) return CONSTANTS[token] ?? symbol(token)
    return call(token.replace(/^_/, ''), list(')'))
  }
  const result = sum()
  if (at !== tokens.length) throw new Error(`left over: ${tokens.slice(at).join(' ')}`)
  return result
}

function call(name: string, args: Expr[]): Expr {
  const [first, ...rest] = args
  if (name in RELATIONS) return relation(args, [RELATIONS[name]!])
  switch (name) {
    case 'Add':
    case 'MatAdd':
      return apply('add', ...args)
    case 'Mul':
    case 'MatMul':
      return apply('multiply', ...args)
    case 'Pow':
      return apply('power', ...args)
    case 'root':
    case 'sqrt':
      return apply('root', first!, rest[0] ?? integer(2))
    case 'Rational':
      return first!.type === 'symbol' ? rationalOf(first!.name) : first!
    case 'UnevaluatedExpr':
    case 'Symbol':
      return first!.type === 'symbol' ? symbolOf(first!.name) : first!
    case 'Matrix':
      return matrixOf(first!)
    case 'Limit':
      return apply('limit', ...args, ...(args.length === 3 ? [symbol('both')] : []))
    case 'Integral':
    case 'Sum':
    case 'Product': {
      const bounds = rest[0]!
      const range = bounds.type === 'apply' && bounds.head === '()' ? bounds.args : [bounds]
      return apply(NAMES[name]!, first!, ...range)
    }
    default:
      return apply(NAMES[name] ?? name, ...args)
  }
}

function rationalOf(text: string): Expr {
  const value = number(fromDecimal(text.replace('-', ''))!, true)
  return text.startsWith('-') ? negated(value) : value
}

/** SymPy's 'h_{\\theta}' and 'xbar_n' as this parser names them. */
function symbolOf(name: string): Expr {
  return symbol(name.replace(/[{}\\]/g, ''))
}

function matrixOf(rows: Expr): Expr {
  if (rows.type !== 'apply') throw new Error('matrix')
  return apply(
    'matrix',
    ...rows.args.map(row =>
      row.type === 'apply' && row.head === 'list' ? { ...row, head: 'row' } : apply('row', row),
    ),
  )
}
