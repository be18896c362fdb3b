/**
 * The smallest parts of a formula: numerals, symbols with scripts, groups and brackets, fractions and
 * roots, bars, matrices. Functions and large operators are functions.ts.
 */
import { type Cursor, NotMath } from './cursor.ts'
import {
  apply,
  divided,
  type Expr,
  I,
  INFINITY,
  integer,
  isApply,
  keyOf,
  number,
  PI,
  symbol,
} from './expr.ts'
import { derivative, functionCall, largeOperator } from './functions.ts'
import { bracketed, items, power, relations, sum } from './grammar.ts'
import { FUNCTIONS } from './lexer.ts'
import { add, fromDecimal, multiply, type Rational, power as raise } from './rational.ts'

const DECORATIONS = new Set(
  'overline bar hat widehat vec overrightarrow tilde dot ddot underline mathit mathfrak'.split(' '),
)
const LARGE = new Set(['\\sum', '\\prod', '\\int', '\\iint', '\\oint', '\\lim'])
/** Commands that structure a text; none of them is a symbol. */
const NO_SYMBOL = /^\\(?:end|item|tag|label|ref|[^a-zA-Z])/

/** One operand with its postfixes: factorials, percent, degrees, subscripts and primes. */
export function primary(cursor: Cursor): Expr {
  return cursor.nested(() => {
    let operand = atom(cursor)
    for (;;) {
      // "5! = 120" against "x != 3": the lexer reads "!=" as one sign.
      if (cursor.take('!')) operand = apply('factorial', operand)
      else if (cursor.is('%') && isQuantity(operand)) {
        cursor.next()
        operand = operand === INFINITY ? INFINITY : apply('percent', operand)
      } else if (cursor.is('°')) cursor.next()
      else if (cursor.is("'") && operand.type === 'symbol') {
        cursor.next()
        operand = symbol(`${operand.name}'`)
      } else if (cursor.is('_') && operand.type !== 'apply') {
        cursor.next()
        operand = subscripted(operand, cursor)
      } else return operand
    }
  })
}

function isQuantity(operand: Expr): boolean {
  return operand.type === 'number' || operand === INFINITY || operand.type === 'apply'
}

function atom(cursor: Cursor): Expr {
  const token = cursor.next()
  if (token.kind === 'number') return numeral(token.text, cursor)
  if (token.kind === 'letter') return token.text === 'I' ? I : symbol(token.text)
  if (token.kind === 'joint') throw new NotMath('joint')
  switch (token.text) {
    case '(':
    case '[':
      return bracket(token.text, cursor)
    case '{':
      return braces(cursor, '}')
    case '\\{':
      return cursor.take('\\}') ? apply('set') : set(cursor, '\\}')
    case '|':
      return bars(cursor, '|')
    case '\\lvert':
    case '\\|':
      return bars(cursor, token.text === '\\|' ? '\\|' : '\\rvert')
    case '\\lfloor':
      return enclosed(cursor, 'floor', '\\rfloor')
    case '\\lceil':
      return enclosed(cursor, 'ceil', '\\rceil')
    case '\\langle':
      return closeBracket('(', bracketed(cursor), cursor, ['\\rangle'])
    case '\\frac':
      return fraction(cursor)
    case '\\binom':
      return apply('binomial', argument(cursor), argument(cursor))
    case '\\sqrt':
      return root(cursor)
    case '\\begin':
      return matrix(cursor)
    case '\\pi':
      return PI
    case '\\infty':
      return INFINITY
    case '\\emptyset':
    case '\\varnothing':
      return apply('set')
    default:
      return command(token.text, token.kind, cursor)
  }
}

function command(text: string, kind: string, cursor: Cursor): Expr {
  if (kind !== 'command' || NO_SYMBOL.test(text)) throw new NotMath(`unexpected ${text}`)
  const name = text.slice(1)
  if (FUNCTIONS.has(name)) return functionCall(name, cursor)
  if (LARGE.has(text)) return largeOperator(name, cursor)
  if (DECORATIONS.has(name))
    return symbol(`${keyOf(argument(cursor))}${name === 'overline' ? 'bar' : name}`)
  return symbol(name)
}

/** A numeral; `1 1/2` and `1\frac{1}{2}` are mixed numbers, 0.\overline{3} a repeating decimal. */
function numeral(text: string, cursor: Cursor): Expr {
  const [mantissa = '', exponent] = text.toLowerCase().split('e')
  let value = fromDecimal(mantissa)
  if (value !== null && exponent !== undefined) {
    const scale = raise({ num: 10n, den: 1n }, BigInt(exponent))
    value = scale === null ? null : multiply(value, scale)
  }
  if (value === null) throw new NotMath('numeral')
  if (cursor.is('\\overline', '\\dot') && mantissa.includes('.')) {
    return number(repeating(value, mantissa, cursor))
  }
  if (/^\d+$/.test(text)) {
    const part = mixedPart(cursor)
    if (part !== null) return number(add(value, part))
  }
  return number(value, mantissa.includes('.'))
}

function repeating(value: Rational, mantissa: string, cursor: Cursor): Rational {
  cursor.next()
  cursor.expect('{')
  const digits = cursor.next().text
  cursor.expect('}')
  if (!/^\d{1,100}$/.test(digits)) throw new NotMath('repetend')
  const places = BigInt(mantissa.split('.')[1]?.length ?? 0)
  const den = (10n ** BigInt(digits.length) - 1n) * 10n ** places
  return add(value, { num: BigInt(digits), den })
}

/** The fraction of a mixed number that stands here, moved over; null when there is none. */
function mixedPart(cursor: Cursor): Rational | null {
  const [first, slash, last] = [cursor.peek(), cursor.peek(1), cursor.peek(2)]
  const digits = /^\d{1,100}$/
  if (first?.kind === 'number' && slash?.text === '/' && last?.kind === 'number') {
    if (!first.spaced || !digits.test(first.text) || !digits.test(last.text)) return null
    for (let i = 0; i < 3; i++) cursor.next()
    return quotient(first.text, last.text)
  }
  if (first?.text !== '\\frac') return null
  // \frac{1}{2}, all in digits; \frac12 is left to the product, which gives 3\frac12 = 3.5 too.
  const texts = Array.from({ length: 6 }, (_, i) => cursor.peek(i + 1)?.text ?? '')
  if (texts[0] === '{' && texts[2] === '}' && texts[3] === '{' && texts[5] === '}') {
    if (!digits.test(texts[1]!) || !digits.test(texts[4]!)) return null
    for (let i = 0; i < 7; i++) cursor.next()
    return quotient(texts[1]!, texts[4]!)
  }
  if (/^\d\d$/.test(texts[0]!)) {
    for (let i = 0; i < 2; i++) cursor.next()
    return quotient(texts[0]![0]!, texts[0]![1]!)
  }
  return null
}

function quotient(num: string, den: string): Rational {
  const value = BigInt(den)
  if (value === 0n) throw new NotMath('division by zero')
  return { num: BigInt(num), den: value }
}

/** `x_1`, `x_{ab}`; a numeral with a subscript is written in that base. */
function subscripted(operand: Expr, cursor: Cursor): Expr {
  const script = argument(cursor)
  if (operand.type === 'number') return apply('base', operand, script)
  const name = operand.type === 'symbol' ? operand.name : keyOf(operand)
  return symbol(`${name}_${keyOf(script)}`)
}

/** What follows a command: a group in braces, one digit, one letter or one command. */
export function argument(cursor: Cursor): Expr {
  return cursor.nested(() => {
    const token = cursor.peek()
    if (token?.text === '{') {
      cursor.next()
      return braces(cursor, '}')
    }
    if (token?.kind === 'number') return numeral(cursor.takeDigit(), cursor)
    if (token?.kind === 'letter' || token?.kind === 'command') return atom(cursor)
    throw new NotMath('argument')
  })
}

/** The content of braces: a group, or a set where it is a list. */
function braces(cursor: Cursor, close: string): Expr {
  const inner = cursor.nested(() => freshBars(cursor, () => items(cursor)))
  cursor.expect(close)
  return isApply(inner, 'list', 'solutions') ? { ...inner, head: 'set' } : inner
}

function set(cursor: Cursor, close: string): Expr {
  const list = cursor.nested(() => freshBars(cursor, () => bracketed(cursor)))
  cursor.expect(close)
  return apply('set', ...list)
}

function bracket(open: string, cursor: Cursor): Expr {
  const list = cursor.nested(() => freshBars(cursor, () => bracketed(cursor)))
  return closeBracket(open, list, cursor, [')', ']'])
}

/** One item in brackets is a group; more are a tuple or an interval, whose brackets are kept. */
function closeBracket(open: string, list: Expr[], cursor: Cursor, closers: string[]): Expr {
  const close = cursor.next().text
  if (!closers.includes(close)) throw new NotMath('bracket')
  if (list.length === 1) {
    if (close !== '\\rangle' && (open === '(') !== (close === ')')) throw new NotMath('bracket')
    return list[0]!
  }
  return { type: 'apply', head: `${open}${close === '\\rangle' ? ')' : close}`, args: list }
}

function bars(cursor: Cursor, close: string): Expr {
  const open = cursor.bars
  cursor.bars = close === '|' ? open + 1 : open
  const inner = cursor.nested(() => sum(cursor))
  cursor.bars = open
  cursor.expect(close)
  return apply('abs', inner)
}

function enclosed(cursor: Cursor, head: string, close: string): Expr {
  const inner = freshBars(cursor, () => sum(cursor))
  cursor.expect(close)
  return apply(head, inner)
}

/** Inside of brackets a bar opens again. */
function freshBars<T>(cursor: Cursor, parse: () => T): T {
  const open = cursor.bars
  cursor.bars = 0
  const result = parse()
  cursor.bars = open
  return result
}

function fraction(cursor: Cursor): Expr {
  const top = argument(cursor)
  const bottom = argument(cursor)
  return derivative(top, bottom, cursor) ?? divided(top, bottom)
}

function root(cursor: Cursor): Expr {
  let degree: Expr = integer(2)
  if (cursor.take('[')) {
    degree = sum(cursor)
    cursor.expect(']')
  }
  // \sqrt19 is meant as the root of 19, although LaTeX would draw it over the 1.
  const token = cursor.peek()
  const bare = token?.kind === 'number' || token?.text === '('
  const radicand = bare ? power(cursor) : argument(cursor)
  return apply('root', radicand, degree)
}

/** Rows and columns up to \end; the lexer has read which environment it is. */
function matrix(cursor: Cursor): Expr {
  const rows: Expr[] = []
  let row: Expr[] = []
  const closeRow = (): void => {
    if (row.length > 0) rows.push(apply('row', ...row))
    row = []
  }
  while (!cursor.take('\\end')) {
    if (cursor.take('\\\\')) closeRow()
    else if (!cursor.take('&')) row.push(freshBars(cursor, () => relations(cursor)))
  }
  closeRow()
  const widths = new Set(rows.map(r => (r.type === 'apply' ? r.args.length : 0)))
  if (widths.size !== 1) throw new NotMath('matrix')
  return apply('matrix', ...rows)
}
