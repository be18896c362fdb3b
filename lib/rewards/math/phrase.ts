/**
 * The one formula or quantity that a phrase states. A phrase that hedges (12 또는 13, 3~5) or ends in
 * an open calculation states none.
 */
import { parseNormalized } from './grammar.ts'
import { findQuantities, parseQuantity, type Quantity } from './quantity.ts'
import { mathSegments, normalizeMath } from './text.ts'
import { UNIT_NAMES } from './units.ts'

/** What stands before the last quantity when it is one of several (also a row of numbers), or part of a calculation. */
const HEDGED = /(?:또는|혹은|거나|아니면|\b(?:or|not)|\d[^\s\d]?\s*[,、~]|(?:^|\s)[-+]?\d[\d.,]*)$/i
/** What follows a quantity that is denied: 12가 아니다. */
const DENIED = /^\S{0,4}\s?(?:아니|아닙|아닌)(?!라)/
const CALCULATED = /\d[^\s\d]?\s*[×*+÷]$|\d\s+-$/
const ENDING = /\s*(?:입니다|입니당|이다|이에요|예요|이야|이며|임|다|요)?[.。]*$/
/** Signs that a text holds a formula rather than a plain number. */
const FORMULA = /\\[a-zA-Z{]|\^|[<>]|[([{][^)\]}]*,[^)\]}]*[)\]}]/
const LAST_WORDS = 16

/** `text` without a polite ending and a full stop. */
export function withoutEnding(text: string): string {
  return text.replace(
    /(?<=[\d)}\]°%a-zA-Z|!가-힣])\s*(?:(?:입니다|이에요|예요|이다)[!.。]*|[.。]*)\s*$/,
    '',
  )
}

/**
 * The formula that a phrase ends in: the last one between delimiters of `raw` when no number follows
 * it, else the longest run of last words of the normalised `text` that is one. Null when there is none.
 */
export function formulaOfPhrase(raw: string, text: string): string | null {
  const segment = mathSegments(raw).at(-1)
  if (segment !== undefined) {
    const after = raw.slice(-4000).slice(segment.end)
    const content = normalizeMath(segment.content)
    if (!/\d/.test(after) && parseNormalized(content) !== null && /[\d\\\w]/.test(content)) {
      return `${content} ${unitAfter(after)}`.trim()
    }
  }
  if (!FORMULA.test(text)) return null
  const words = text.replace(ENDING, '').split(' ').slice(-LAST_WORDS)
  for (let i = 0; i < words.length; i++) {
    const run = words.slice(i).join(' ')
    if (FORMULA.test(run) && parseNormalized(run) !== null) return run
  }
  return null
}

/** A unit right behind the delimiters: "$28$ percent". */
function unitAfter(text: string): string {
  const word = /^\s?(%|[a-zA-Z가-힣]{1,8})/.exec(text)?.[1] ?? ''
  return UNIT_NAMES.some(([name]) => name === word) ? word : ''
}

/** The one quantity that a phrase states, or null. */
export function quantityOfPhrase(phrase: string): Quantity | null {
  const statement = afterEquals(phrase)
  const bare = statement.replace(/\([^()]*\)/g, ' ').trim()
  const text = bare === '' ? statement : bare
  const whole = parseQuantity(text)
  if (whole !== null) return whole
  const last = findQuantities(text).at(-1)
  if (last !== undefined) {
    const before = text.slice(0, last.start).trimEnd()
    const denied = DENIED.test(text.slice(last.end))
    return denied || HEDGED.test(before) || CALCULATED.test(before) ? null : last
  }
  // No digit at all: "모두 열다섯 개입니다".
  const words = text.split(' ').slice(0, 20)
  for (let i = 0; i < words.length; i++) {
    const quantity = parseQuantity(words.slice(i).join(' '))
    if (quantity !== null) return quantity
  }
  return null
}

function afterEquals(text: string): string {
  return text.slice(Math.max(text.lastIndexOf('='), text.lastIndexOf('≈')) + 1).trim()
}
