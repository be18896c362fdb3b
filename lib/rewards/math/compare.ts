/**
 * Whether an answer's tree means the gold answer's, clause by clause of docs/rewards.md: relations by
 * what they state, lists in order, solutions and sets in any, intervals by brackets and ends,
 * matrices by entries, the rest by value. Sizes are bounded by the parser's; lists by MAX_ITEMS.
 */
import { type Apply, apply, type Expr, isApply, keyOf, negated, someNode } from './expr.ts'
import { asMatrix } from './matrix.ts'
import { equalRelations, isRelation, nameOf, statedBy } from './relations.ts'
import { equalValues } from './values.ts'

const MAX_ITEMS = 64
const TUPLES = ['()', '[]', '(]', '[)']

/** True when `answer` is equivalent to `gold`; decimals agree to `precision` places. Never throws. */
export function equalExprs(gold: Expr, answer: Expr, precision: number): boolean {
  if (keyOf(gold) === keyOf(answer)) return true
  if (isRelation(gold) && isRelation(answer) && equalRelations(gold, answer)) return true
  const [a, b] = [expanded(statedBy(gold)), expanded(statedBy(answer))]
  if (isRelation(a) || isRelation(b)) return equalRelations(a, b)
  if (isApply(a, 'cup') || isApply(b, 'cup')) return equalUnions(a, b, precision)
  if (isSequence(a) || isSequence(b)) return equalSequences(a, b, precision)
  const [m, n] = [asMatrix(a), asMatrix(b)]
  if (m !== null || n !== null) {
    if (m === null || n === null || m.length !== n.length) return false
    return m.every(
      (row, i) =>
        row.length === n[i]!.length &&
        row.every((entry, j) => equalExprs(entry, n[i]![j]!, precision)),
    )
  }
  if (isApply(a, 'ratio') && isApply(b, 'ratio')) return equalRatios(a, b, precision)
  return equalValues(a, b, precision)
}

function isSequence(a: Expr): a is Apply {
  return isApply(a, 'list', 'solutions', 'set', ...TUPLES)
}

/** a ± b as the two values it stands for. Lists take the two as items of their own. */
function expanded(a: Expr): Expr {
  if (!someNode(a, node => isApply(node, 'plusminus'))) return spread(a)
  if (isApply(a, 'list', 'solutions', 'set')) {
    const items = a.args.map(item => expanded(statedBy(item)))
    const flat = items.flatMap(item => (isApply(item, 'solutions') ? item.args : [item]))
    return apply(a.head === 'set' ? 'set' : 'solutions', ...flat)
  }
  return apply('solutions', branch(a, 1), branch(a, -1))
}

function branch(a: Expr, sign: 1 | -1): Expr {
  if (a.type !== 'apply') return a
  const args = a.args.map(arg => branch(arg, sign))
  if (a.head !== 'plusminus') return { ...a, args }
  return apply('add', args[0]!, sign === 1 ? args[1]! : negated(args[1]!))
}

/**
 * Lists that are solutions by what they hold: all tuples, or several values of one name
 * (x = 4, -8, -10; x = 1, x = 2). Several names (x = 1, y = 2) stay in order.
 */
function spread(a: Expr): Expr {
  if (!isApply(a, 'list')) return a
  const names = a.args.map(nameOf)
  if (names[0] != null && names.slice(1).every(name => name === null || name === names[0])) {
    return apply('solutions', ...a.args.map(statedBy))
  }
  return a.args.every(item => isApply(item, ...TUPLES)) ? { ...a, head: 'solutions' } : a
}

function equalSequences(a: Expr, b: Expr, precision: number): boolean {
  const [p, q] = [itemsOf(a), itemsOf(b)]
  if (p.length > MAX_ITEMS || q.length > MAX_ITEMS) return false
  const equal = (x: Expr, y: Expr): boolean => equalExprs(x, y, precision)
  if (isApply(a, ...TUPLES) && isApply(b, ...TUPLES)) {
    // Of two items, brackets tell intervals and points apart.
    const sameKind = p.length !== 2 || a.head === b.head
    return sameKind && inOrder(p, q, equal)
  }
  if (isApply(a, ...TUPLES) || isApply(b, ...TUPLES)) {
    const [tuple, other] = isApply(a, ...TUPLES) ? [a, b] : [b, a]
    // One solution that is itself the tuple, or a list that lost its brackets.
    if (itemsOf(other).length === 1) return isSequence(other) && equal(tuple, itemsOf(other)[0]!)
    return (
      tuple.type === 'apply' && tuple.head !== '[)' && tuple.head !== '(]' && inOrder(p, q, equal)
    )
  }
  const [names, others] = [p.map(nameOf), q.map(nameOf)]
  const named = names.every(name => name !== null) && new Set(names).size === names.length
  const othersNamed = others.every(name => name !== null) && new Set(others).size === others.length
  if (named && othersNamed && p.length > 1) {
    return sameItems(p, q, (x, y) => nameOf(x) === nameOf(y) && equal(x, y))
  }
  if ((named && p.length > 1) || (othersNamed && q.length > 1)) return inOrder(p, q, equal)
  const unordered = [a, b].some(side => isApply(side, 'set', 'solutions'))
  return unordered ? sameItems(p, q, equal) : inOrder(p, q, equal)
}

function itemsOf(a: Expr): readonly Expr[] {
  return isSequence(a) ? a.args : [a]
}

function inOrder(
  a: readonly Expr[],
  b: readonly Expr[],
  equal: (x: Expr, y: Expr) => boolean,
): boolean {
  return a.length === b.length && a.every((item, i) => equal(item, b[i]!))
}

/** The same items in any order; repetitions do not count. */
function sameItems(
  a: readonly Expr[],
  b: readonly Expr[],
  equal: (x: Expr, y: Expr) => boolean,
): boolean {
  return (
    a.every(item => b.some(other => equal(item, other))) &&
    b.every(other => a.some(item => equal(item, other)))
  )
}

function equalUnions(a: Expr, b: Expr, precision: number): boolean {
  const [p, q] = [piecesOf(a), piecesOf(b)]
  if (p.length > MAX_ITEMS || q.length > MAX_ITEMS) return false
  return sameItems(p, q, (x, y) => equalExprs(x, y, precision))
}

function piecesOf(a: Expr): readonly Expr[] {
  return isApply(a, 'cup') ? a.args.flatMap(piecesOf) : [a]
}

/** a : b : c up to a common factor. */
function equalRatios(a: Apply, b: Apply, precision: number): boolean {
  if (a.args.length !== b.args.length) return false
  const [first, other] = [a.args[0]!, b.args[0]!]
  return a.args.every((term, i) =>
    equalValues(apply('multiply', term, other), apply('multiply', b.args[i]!, first), precision),
  )
}
