/**
 * What a relation states. `x = 5`, `f(2) = 5`, `|AB| = 5` and `(p, q) = (3, 2)` name a value;
 * `x ∈ S` and inequalities with the unknown on one side, or in the middle of two, state a set; other
 * equalities are equations, and other inequalities are compared as such.
 */
import {
  type Apply,
  apply,
  type Expr,
  INFINITY,
  isApply,
  keyOf,
  negated,
  symbolsOf,
} from './expr.ts'
import { proportional } from './values.ts'

const FLIPPED: Readonly<Record<string, string>> = { '<': '>', '>': '<', '≤': '≥', '≥': '≤' }

export function isRelation(a: Expr): a is Apply & { ops: readonly string[] } {
  return isApply(a, 'relation')
}

/** The name of `name = value`, as a key; null where `a` is no such statement. */
export function nameOf(a: Expr): string | null {
  return isRelation(a) && a.ops[0] === '=' && isName(a.args[0]!) ? keyOf(a.args[0]!) : null
}

/** What `a` states: a value or a set, free of its name; `a` itself when it is an equation. */
export function statedBy(a: Expr): Expr {
  if (!isRelation(a)) return a
  if (a.ops[0] === '∈' && a.ops.length === 1) return a.args[1]!
  if (a.ops.every(op => op === '=' || op === '≈' || op === '≡')) return statedByEquality(a)
  return intervalOf(a) ?? a
}

/** A chain x = … = v (≈ w) states v: its last member before an approximation. */
function statedByEquality(a: Apply & { ops: readonly string[] }): Expr {
  const rounded = a.ops.findIndex((op, i) => op === '≈' && i > 0)
  const members = rounded < 0 ? a.args : a.args.slice(0, rounded + 1)
  const last = members.at(-1)!
  const [first] = members
  // A calculation: 3 + 4 = 7 states 7.
  const calculation = members.every(member => symbolsOf(member).size === 0)
  if (calculation || isName(first!)) return last
  // 7 = x names the value backwards.
  return members.length === 2 && isName(last) && symbolsOf(first!).size === 0 ? first! : a
}

const NAME_HEADS = ['abs', 'ratio', '()', 'list', 'sin', 'cos', 'tan']

/** Symbols, with nothing to calculate: x, a_1, f(2), AB, |AB|, NO/BO, A : B, a tuple of such. */
function isName(a: Expr): boolean {
  if (a.type === 'number') return false
  if (a.type === 'symbol') return symbolsOf(a).size > 0
  if (a.head === 'power') return isName(a.args[0]!) && keyOf(a.args[1]!) === '-1'
  // f(2) reads as f · 2, a number right of a symbol.
  if (a.head === 'multiply') {
    return a.args.every(
      (arg, i) => isName(arg) || (i > 0 && arg.type === 'number' && a.args[0]!.type === 'symbol'),
    )
  }
  return NAME_HEADS.includes(a.head) && a.args.every(isName)
}

/** The set of one unknown that an inequality describes: x ≥ 5 is [5, ∞). Null for any other. */
function intervalOf(a: Apply & { ops: readonly string[] }): Expr | null {
  const up = upward(a)
  if (up === null) return null
  const { args, ops } = up
  if (args.length === 3) {
    const [low, middle, high] = args as [Expr, Expr, Expr]
    if (!isName(middle) || symbolsOf(low).size + symbolsOf(high).size > 0) return null
    return interval(ops[0] === '≤' ? '[' : '(', low, high, ops[1] === '≤' ? ']' : ')')
  }
  if (args.length !== 2) return null
  const [left, right] = args as [Expr, Expr]
  const closed = ops[0] === '≤'
  if (isName(left) && symbolsOf(right).size === 0) {
    return interval('(', negated(INFINITY), right, closed ? ']' : ')')
  }
  if (isName(right) && symbolsOf(left).size === 0) {
    return interval(closed ? '[' : '(', left, INFINITY, ')')
  }
  return null
}

function interval(open: string, low: Expr, high: Expr, close: string): Expr {
  return apply(`${open}${close}`, low, high)
}

/** The chain turned so that every sign is < or ≤; null when signs are mixed. */
function upward(
  a: Apply & { ops: readonly string[] },
): (Apply & { ops: readonly string[] }) | null {
  if (a.ops.every(op => op === '<' || op === '≤')) return a
  if (!a.ops.every(op => op === '>' || op === '≥')) return null
  return { ...a, args: a.args.toReversed(), ops: a.ops.map(op => FLIPPED[op]!).toReversed() }
}

/** Two relations with the same solutions: equal up to a factor, positive for inequalities. */
export function equalRelations(a: Expr, b: Expr): boolean {
  if (!isRelation(a) || !isRelation(b) || a.args.length !== b.args.length) return false
  const same = (x: Apply, y: Apply): boolean => {
    const [p, q] = [difference(x), difference(y)]
    return p !== null && q !== null && proportional(p, q, x.ops![0] !== '=' && x.ops![0] !== '≠')
  }
  if (a.args.length === 2 && a.ops[0] === b.ops[0] && (a.ops[0] === '=' || a.ops[0] === '≠')) {
    return same(a, b)
  }
  const [up, other] = [upward(a), upward(b)]
  if (up === null || other === null || up.ops.join() !== other.ops.join()) return false
  if (up.args.length === 2) return same(up, other)
  return up.args.every((term, i) => keyOf(term) === keyOf(other.args[i]!))
}

function difference(a: Apply): Expr | null {
  return a.args.length === 2 ? apply('add', a.args[0]!, negated(a.args[1]!)) : null
}
