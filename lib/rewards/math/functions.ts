/**
 * Function calls (\sin^2 x, \log_2 8, \max(a, b)) and large operators (sums, products, integrals,
 * limits, derivatives). The latter become opaque nodes with all of their parts.
 */
import { argument } from './atoms.ts'
import { type Cursor, NotMath } from './cursor.ts'
import { apply, E, type Expr, integer, isApply, negated, symbol } from './expr.ts'
import { bracketed, power, product, relations, startsOperand, sum } from './grammar.ts'

const SYNONYMS: Readonly<Record<string, string>> = {
  arsinh: 'arcsinh',
  arcosh: 'arccosh',
  artanh: 'arctanh',
  lg: 'log',
}
const MANY = new Set(['max', 'min', 'gcd', 'lcm'])

/** The call of a function whose name has just been read. */
export function functionCall(written: string, cursor: Cursor): Expr {
  const name = SYNONYMS[written] ?? written
  let base: Expr | null = null
  let exponent: Expr | null = null
  for (;;) {
    if (base === null && cursor.take('_')) base = argument(cursor)
    else if (exponent === null && cursor.take('^')) exponent = signedArgument(cursor)
    else break
  }
  if (base !== null && name !== 'log') throw new NotMath('subscript of a function')
  if (exponent !== null && exponent.type === 'symbol') throw new NotMath('exponent of a function')
  const inverse =
    exponent !== null && isMinusOne(exponent) && /^(?:sin|cos|tan|cot|sec|csc)h?$/.test(name)
  const call = callWith(inverse ? `arc${name}` : name, callArguments(name, cursor), base)
  return exponent === null || inverse ? call : apply('power', call, exponent)
}

function callWith(name: string, args: Expr[], base: Expr | null): Expr {
  if (name === 'ln') return apply('log', args[0]!, E)
  if (name === 'log') return apply('log', args[0]!, base ?? integer(10))
  if (name === 'exp') return apply('power', E, args[0]!)
  return apply(name, ...args)
}

/** `(a, b)` after a function of several arguments, `(a)` or the juxtaposed factors after any other. */
function callArguments(name: string, cursor: Cursor): Expr[] {
  if (cursor.is('(')) {
    cursor.next()
    const bars = cursor.bars
    cursor.bars = 0
    const list = cursor.nested(() => bracketed(cursor))
    cursor.bars = bars
    cursor.expect(')')
    if (list.length > 1 && !MANY.has(name)) throw new NotMath('too many arguments')
    return list
  }
  if (cursor.is('\\{') && MANY.has(name)) {
    cursor.next()
    const list = bracketed(cursor)
    cursor.expect('\\}')
    return list
  }
  // "sin a cos b" stops at the next function, "sin 2x y" takes all three factors.
  const factors = [power(cursor)]
  while (startsOperand(cursor) && !startsFunction(cursor) && !cursor.is('(', '[')) {
    factors.push(power(cursor))
  }
  return [factors.reduce((a, b) => apply('multiply', a, b))]
}

function startsFunction(cursor: Cursor): boolean {
  const text = cursor.peek()?.text ?? ''
  return /^\\(?:a?r?c?(?:sin|cos|tan|cot|sec|csc)h?|ln|log|exp|lim|sum|prod|int)$/.test(text)
}

function signedArgument(cursor: Cursor): Expr {
  if (!cursor.take('-')) return argument(cursor)
  return apply('multiply', integer(-1), argument(cursor))
}

function isMinusOne(a: Expr): boolean {
  if (a.type === 'number') return a.value.num === -1n && a.value.den === 1n
  return (
    isApply(a, 'multiply') &&
    a.args.every(
      arg => arg.type === 'number' && arg.value.num ** 2n === 1n && arg.value.den === 1n,
    ) &&
    a.args.filter(arg => arg.type === 'number' && arg.value.num < 0n).length % 2 === 1
  )
}

/** \sum, \prod, \int or \lim, whose name has just been read. */
export function largeOperator(name: string, cursor: Cursor): Expr {
  if (name === 'lim') return limit(cursor)
  let lower: Expr | null = null
  let upper: Expr | null = null
  for (;;) {
    if (lower === null && cursor.take('_')) lower = bound(cursor)
    else if (upper === null && cursor.take('^')) upper = bound(cursor)
    else break
  }
  if (name !== 'int' && name !== 'iint' && name !== 'oint')
    return series(name, lower, upper, cursor)
  const { body, variable } = integrand(cursor)
  const bounds = [lower, upper].filter(b => b !== null && !isApply(b, 'empty')) as Expr[]
  return apply('integral', body, variable, ...bounds)
}

function series(name: string, lower: Expr | null, upper: Expr | null, cursor: Cursor): Expr {
  const body = product(cursor)
  if (lower === null) return apply(name, body)
  if (isApply(lower, 'relation') && lower.ops?.[0] === '=' && lower.args.length === 2) {
    return apply(name, body, ...lower.args, ...(upper === null ? [] : [upper]))
  }
  return apply(name, body, lower, ...(upper === null ? [] : [upper]))
}

function limit(cursor: Cursor): Expr {
  cursor.expect('_')
  cursor.expect('{')
  const variable = sum(cursor)
  if (variable.type !== 'symbol' || variable.name === 'pi') throw new NotMath('limit')
  if (
    !cursor.take('\\to', '\\rightarrow', '\\Rightarrow', '\\longrightarrow', '\\Longrightarrow')
  ) {
    throw new NotMath('limit')
  }
  const base = sumBeforeSide(cursor)
  cursor.expect('}')
  return apply('limit', product(cursor), variable, base.point, symbol(base.side))
}

/** `3`, or `3^{+}`: a one-sided limit. */
function sumBeforeSide(cursor: Cursor): { point: Expr; side: string } {
  const sided = (): string | null => {
    const [caret, open, sign] = [cursor.peek(), cursor.peek(1), cursor.peek(2)]
    const bare = open?.text === '+' || open?.text === '-'
    const side = bare ? open.text : open?.text === '{' ? sign?.text : undefined
    if (caret?.text !== '^' || (side !== '+' && side !== '-')) return null
    for (let i = 0; i < (bare ? 2 : 4); i++) cursor.next()
    return side
  }
  const negative = cursor.take('-')
  const first = cursor.peek()
  const second = cursor.peek(1)
  if (first?.kind !== 'command' && second?.text === '^') {
    const point = argument(cursor)
    const side = sided()
    if (side !== null)
      return { point: negative ? apply('multiply', integer(-1), point) : point, side }
  }
  const point = sum(cursor)
  return { point: negative ? apply('multiply', integer(-1), point) : point, side: 'both' }
}

function bound(cursor: Cursor): Expr {
  if (cursor.is('{') && cursor.peek(1)?.text === '}') {
    cursor.next()
    cursor.next()
    return apply('empty')
  }
  if (!cursor.is('{')) return signedArgument(cursor)
  cursor.next()
  const inner = relations(cursor)
  cursor.expect('}')
  return inner
}

/** \frac{d}{dx} before its operand, or null when the fraction is none. */
export function derivative(top: Expr, bottom: Expr, cursor: Cursor): Expr | null {
  if (top.type !== 'symbol' || top.name !== 'd') return null
  const variable = differentialOf(bottom)
  if (variable === null) return null
  return apply('derivative', product(cursor), variable)
}

function differentialOf(a: Expr): Expr | null {
  if (!isApply(a, 'multiply') || a.args.length !== 2) return null
  const [d, variable] = a.args
  return d!.type === 'symbol' && d!.name === 'd' && variable!.type === 'symbol' ? variable! : null
}

/** Terms up to the one that holds "dx", which is taken out; without one, all terms and x. */
function integrand(cursor: Cursor): { body: Expr; variable: Expr } {
  const terms: Expr[] = []
  const whole = (last: Expr): Expr => (terms.length === 0 ? last : apply('add', ...terms, last))
  let sign = cursor.take('-')
  for (;;) {
    const term = product(cursor)
    const taken = takeDifferential(term)
    const signed = (a: Expr): Expr => (sign ? negated(a) : a)
    if (taken !== null) return { body: whole(signed(taken.body)), variable: taken.variable }
    if (!cursor.is('+', '-')) return { body: whole(signed(term)), variable: symbol('x') }
    terms.push(signed(term))
    sign = cursor.next().text === '-'
  }
}

/** A product without its factor "dx", wherever in it that stands; null when it has none. */
function takeDifferential(a: Expr): { body: Expr; variable: Expr } | null {
  if (isApply(a, 'add')) {
    // The dx of \int (…) dx in one fraction or group stands in its last term.
    const last = takeDifferential(a.args.at(-1)!)
    return last === null ? null : { ...last, body: apply('add', ...a.args.slice(0, -1), last.body) }
  }
  const factors = factorsOf(a)
  const at = factors.findIndex(
    (factor, i) =>
      factor.type === 'symbol' && factor.name === 'd' && factors[i + 1]?.type === 'symbol',
  )
  if (at < 0) return null
  const rest = factors.toSpliced(at, 2)
  const body = rest.length === 0 ? integer(1) : rest.reduce((x, y) => apply('multiply', x, y))
  return { body, variable: factors[at + 1]! }
}

function factorsOf(a: Expr): Expr[] {
  return isApply(a, 'multiply') ? a.args.flatMap(factorsOf) : [a]
}
