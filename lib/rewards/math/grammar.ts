/**
 * Recursive descent over the tokens of a formula, from the loosest binding to the tightest:
 *
 *   statement  lines joined by ; , and/or/또는
 *   relation   sums joined by = < ≤ ≠ ∈ ≈ …
 *   union      a ∪ b ∩ c \ d        ratio  a : b
 *   sum        + − ±                product  · × / ÷ mod, and juxtaposition
 *   unary      − + ±                power, postfix ! % ° and scripts (atoms.ts)
 */
import { primary } from './atoms.ts'
import { Cursor, NotMath } from './cursor.ts'
import { apply, divided, type Expr, isApply, negated, relation } from './expr.ts'
import { tokenize } from './lexer.ts'
import { normalizeMath } from './text.ts'

const RELATIONS: Readonly<Record<string, string>> = {
  '=': '=',
  '==': '=',
  ':=': '=',
  '<': '<',
  '>': '>',
  '<=': '≤',
  '>=': '≥',
  '!=': '≠',
  '\\lt': '<',
  '\\gt': '>',
  '\\le': '≤',
  '\\leq': '≤',
  '\\leqslant': '≤',
  '\\ge': '≥',
  '\\geq': '≥',
  '\\geqslant': '≥',
  '\\ne': '≠',
  '\\neq': '≠',
  '\\in': '∈',
  '\\approx': '≈',
  '\\simeq': '≈',
  '\\sim': '≈',
  '\\equiv': '≡',
}
const SEPARATORS = [',', ';']

/** The tree of a text, or null when it is not a formula. Never throws, bounded time. */
export function parseMath(text: string): Expr | null {
  return parseNormalized(normalizeMath(text))
}

/** As `parseMath` for a text that `normalizeMath` has made. */
export function parseNormalized(text: string): Expr | null {
  const tokens = tokenize(text.replace(/[.。,;:\s]+$/, ''))
  if (tokens === null || tokens.length === 0) return null
  try {
    const cursor = new Cursor(tokens)
    const expr = statement(cursor)
    return cursor.peek() === undefined ? expr : null
  } catch (error) {
    if (error instanceof NotMath) return null
    throw error
  }
}

/** A whole statement: `;` binds loosest, then `,` and and/or. */
function statement(cursor: Cursor): Expr {
  const lines = [items(cursor)]
  while (cursor.take(';')) lines.push(items(cursor))
  if (lines.length === 1) return lines[0]!
  // "-12; -11; -10" is a list as it stands; "p = 5, q = 2; p = 7, q = 2" is a list of tuples.
  const tuples = lines.some(line => isApply(line, 'list'))
  const rows = lines.map(line => (isApply(line, 'list') ? { ...line, head: '()' } : line))
  return { type: 'apply', head: tuples ? 'solutions' : 'list', args: rows }
}

/** Items joined by commas or and/or; joined by the latter they are solutions, in no order. */
export function items(cursor: Cursor): Expr {
  const list = [relations(cursor)]
  let unordered = false
  for (;;) {
    const comma = cursor.take(',')
    if (cursor.peek()?.kind === 'joint') {
      cursor.next()
      unordered = true
    } else if (!comma) break
    list.push(relations(cursor))
  }
  if (list.length === 1) return list[0]!
  return { type: 'apply', head: unordered ? 'solutions' : 'list', args: list }
}

/** The items between brackets, joined by `,` or by `;` but not by both. */
export function bracketed(cursor: Cursor): Expr[] {
  const list = [relations(cursor)]
  const separator = SEPARATORS.find(sign => cursor.is(sign)) ?? ','
  while (cursor.take(separator)) list.push(relations(cursor))
  return list
}

export function relations(cursor: Cursor): Expr {
  return cursor.nested(() => {
    const terms = [union(cursor)]
    const ops: string[] = []
    for (;;) {
      const op = relationAt(cursor)
      if (op === null) break
      ops.push(op)
      terms.push(union(cursor))
    }
    return ops.length === 0 ? terms[0]! : relation(terms, ops)
  })
}

function relationAt(cursor: Cursor): string | null {
  const token = cursor.peek()
  if (token === undefined || token.kind === 'letter' || token.kind === 'number') return null
  if (token.text === '\\not') {
    cursor.next()
    cursor.next()
    return '≠'
  }
  const op = Object.hasOwn(RELATIONS, token.text) ? RELATIONS[token.text]! : null
  if (op !== null) cursor.next()
  return op
}

function union(cursor: Cursor): Expr {
  let left = ratio(cursor)
  for (;;) {
    if (cursor.take('\\cup')) left = apply('cup', left, ratio(cursor))
    else if (cursor.take('\\cap')) left = apply('cap', left, ratio(cursor))
    else if (cursor.take('\\setminus', '\\backslash')) left = apply('setminus', left, ratio(cursor))
    else return left
  }
}

function ratio(cursor: Cursor): Expr {
  const terms = [sum(cursor)]
  while (cursor.take(':')) terms.push(sum(cursor))
  return terms.length === 1 ? terms[0]! : apply('ratio', ...terms)
}

export function sum(cursor: Cursor): Expr {
  return cursor.nested(() => {
    const terms = [product(cursor)]
    let left = (): Expr => (terms.length === 1 ? terms[0]! : apply('add', ...terms))
    for (;;) {
      if (cursor.take('+')) terms.push(product(cursor))
      else if (cursor.take('-')) terms.push(negated(product(cursor)))
      else if (cursor.is('\\pm', '\\mp')) {
        const upper = cursor.next().text === '\\pm'
        const [a, b] = [left(), product(cursor)]
        const both = upper ? [a, b] : [a, negated(b)]
        terms.splice(0, terms.length, apply('plusminus', ...both))
        left = () => (terms.length === 1 ? terms[0]! : apply('add', ...terms))
      } else return left()
    }
  })
}

export function product(cursor: Cursor): Expr {
  let left = unary(cursor)
  for (;;) {
    if (cursor.take('*', '\\cdot', '\\times', '\\ast', '\\star')) {
      left = apply('multiply', left, unary(cursor))
    } else if (cursor.take('/', '\\div', '\\slash')) left = divided(left, unary(cursor))
    else if (cursor.take('\\mod', '\\bmod')) left = apply('mod', left, unary(cursor))
    else if (cursor.take('\\pmod')) primary(cursor)
    else if (startsOperand(cursor)) left = apply('multiply', left, power(cursor))
    else return left
  }
}

function unary(cursor: Cursor): Expr {
  return cursor.nested(() => {
    if (cursor.take('-')) return negated(unary(cursor))
    if (cursor.take('+')) return unary(cursor)
    if (cursor.take('\\pm')) return apply('plusminus', { ...ZERO_TERM }, unary(cursor))
    return power(cursor)
  })
}

const ZERO_TERM: Expr = { type: 'number', value: { num: 0n, den: 1n }, decimal: false }

/** A primary with its postfixes and its exponent; `^` binds to the right. */
export function power(cursor: Cursor): Expr {
  const base = primary(cursor)
  if (!cursor.take('^')) return base
  const exponent = cursor.nested(() => {
    if (cursor.take('-')) return negated(power(cursor))
    cursor.take('+')
    return power(cursor)
  })
  return apply('power', base, exponent)
}

const NOT_OPERANDS = new Set([
  ...Object.keys(RELATIONS),
  ...['\\cup', '\\cap', '\\setminus', '\\backslash', '\\mod', '\\bmod', '\\pmod', '\\not'],
  ...['\\cdot', '\\times', '\\ast', '\\star', '\\div', '\\slash', '\\pm', '\\mp', '\\\\'],
  ...['\\}', '\\rvert', '\\rfloor', '\\rceil', '\\end', '\\rangle', '\\mid'],
  ...['\\to', '\\rightarrow', '\\Rightarrow', '\\longrightarrow', '\\Longrightarrow'],
  ...['\\implies', '\\iff', '\\Leftrightarrow'],
])

/** Whether the next token starts a factor of a product without a sign. */
export function startsOperand(cursor: Cursor): boolean {
  const token = cursor.peek()
  if (token === undefined || token.kind === 'joint') return false
  // "3 1 6 3" is a row of digits, no product.
  if (token.kind === 'number') return !cursor.afterNumber()
  if (token.kind === 'letter') return true
  if (token.kind === 'command') return !NOT_OPERANDS.has(token.text)
  if (token.text === '|') return cursor.bars === 0
  return token.text === '(' || token.text === '[' || token.text === '{'
}
