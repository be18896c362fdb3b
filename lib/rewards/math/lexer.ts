/**
 * Cuts a normalised text into tokens: numbers (thousands separators, decimals, exponents, mixed
 * numbers), letters one by one, names of functions, commands, brackets and signs. A word of the
 * language is no token: a text with one is prose, and the lexer gives null. Bounded: at most
 * MAX_TOKENS tokens.
 */

export interface Token {
  readonly kind: 'number' | 'letter' | 'command' | 'sign' | 'joint'
  readonly text: string
  /** Whether white space stands before it. */
  readonly spaced: boolean
}

const MAX_TOKENS = 1500

export const FUNCTIONS = new Set(
  (
    'sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh coth sech csch arcsinh arccosh ' +
    'arctanh arsinh arcosh artanh ln log lg exp gcd lcm max min floor ceil det dim deg arg sgn'
  ).split(' '),
)

/** Joints of a list of solutions: "3 and 5", "x = 1 또는 x = 2". */
const JOINT =
  /^(?:and|or|또는|혹은|그리고|이고|이거나|및|와|과)(?![a-zA-Z가-힣])|^\\(?:lor|land|vee|wedge)(?![a-zA-Z])/
const PLAIN_NAMES: Readonly<Record<string, string>> = {
  pi: '\\pi',
  infty: '\\infty',
  inf: '\\infty',
  infinity: '\\infty',
  oo: '\\infty',
  sqrt: '\\sqrt',
  mod: '\\mod',
}
/** Short words that are language, not products of symbols. */
const WORDS = new Set(
  'is the we so of to in at by be an as it if no not are was for has its let one two per see'.split(
    ' ',
  ),
)
const EXPONENT = /^[eE][-+]?\d{1,4}(?![\p{L}\d.])/u
const THOUSANDS = /^\d{1,3}(?:,\d{3})+(?![\d,]*\d)/
/** Any environment of rows and columns. */
const ENVIRONMENT =
  /^\\(begin|end)\s*\{(?:[pbvBV]?matrix|smallmatrix|array)\*?\}(?:\s*\{[lcr|\s]*\})?/
const SIGNS = /^(?:<=|>=|!=|:=|=>|==|[-+*/^_=<>!|,;:.%°'&~(){}[\]])/

/** Tokens of `text`, or null when it is not a formula. */
export function tokenize(text: string): Token[] | null {
  const tokens: Token[] = []
  /** Open brackets: whether commas in them separate items. */
  const open: boolean[] = []
  let at = 0
  let spaced = false
  const push = (kind: Token['kind'], value: string, length: number): void => {
    tokens.push({ kind, text: value, spaced })
    spaced = false
    at += length
  }
  while (at < text.length) {
    if (tokens.length > MAX_TOKENS) return null
    const c = text[at]!
    if (/\s/.test(c)) {
      spaced = true
      at++
      continue
    }
    const rest = text.slice(at, at + 1200)
    const joint = JOINT.exec(rest)
    if (joint !== null && at > 0) {
      push('joint', joint[0], joint[0].length)
      continue
    }
    const numeral = numeralAt(rest, open.includes(true))
    if (numeral !== null) {
      push('number', numeral.text, numeral.length)
      continue
    }
    const environment = ENVIRONMENT.exec(rest)
    if (environment !== null) {
      // Braces of the array's column format belong to the token.
      push('command', `\\${environment[1]!}`, environment[0].length)
      continue
    }
    if (c === '\\') {
      const name = /^\\(?:[a-zA-Z]+|[\\{}|])/.exec(rest)?.[0]
      if (name === undefined) return null
      if (name === '\\{') open.push(true)
      if (name === '\\}') open.pop()
      push('command', name, name.length)
      continue
    }
    const letters = /^[a-zA-Z]+/.exec(rest)?.[0]
    if (letters !== undefined) {
      const name = nameOf(letters)
      if (name !== null) push('command', name, letters.length)
      else if (letters.length > 4 || isWord(letters)) return null
      else for (const letter of letters) push('letter', letter, 1)
      continue
    }
    if (/[Α-ωϑϕ]/.test(c)) {
      push('letter', c, 1)
      continue
    }
    const sign = SIGNS.exec(rest)?.[0]
    if (sign === undefined) return null
    if ('([{'.includes(sign)) open.push(sign !== '{' || !isArgument(tokens.at(-1)))
    if (')]}'.includes(sign)) open.pop()
    push('sign', sign, sign.length)
  }
  return tokens
}

/** Whether a brace after this token opens an argument (\frac{1,000}{3}) and no set. */
function isArgument(before: Token | undefined): boolean {
  return (
    before !== undefined && (before.kind === 'command' || ['}', '^', '_'].includes(before.text))
  )
}

/** A word of running text; capitals throughout (NO, AT) are points of geometry. */
function isWord(letters: string): boolean {
  return WORDS.has(letters.toLowerCase()) && !(letters.length > 1 && /^[A-Z]+$/.test(letters))
}

function nameOf(letters: string): string | null {
  if (FUNCTIONS.has(letters)) return `\\${letters}`
  return Object.hasOwn(PLAIN_NAMES, letters) ? PLAIN_NAMES[letters]! : null
}

/**
 * A numeral. Commas separate thousands only outside of brackets, where a list of three-digit numbers
 * is rarer than a large number; inside they separate items.
 */
function numeralAt(rest: string, inList: boolean): { text: string; length: number } | null {
  const grouped = inList ? undefined : THOUSANDS.exec(rest)?.[0]
  const integer = grouped ?? /^\d+/.exec(rest)?.[0] ?? ''
  const fraction =
    /^\.(?:\d+|(?=\s?\\(?:overline|dot)\b))/.exec(rest.slice(integer.length))?.[0] ?? ''
  if (integer === '' && fraction === '') return null
  const base = integer + fraction
  // "72." at the end of a sentence or "3.x" keep the point for what follows.
  const exponent = EXPONENT.exec(rest.slice(base.length))?.[0] ?? ''
  const text = `${base.replaceAll(',', '')}${exponent}`
  return { text, length: base.length + exponent.length }
}
