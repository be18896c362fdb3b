/**
 * Whether an answer means the gold answer. The contract of this version:
 *
 *   - both read as quantities (quantity.ts): exact rational equality, units converted within a
 *     dimension, missing units and counters forgiven, 1/2 = 2/4 = 0.5 = 50 %, 15만원 = 150,000원;
 *   - otherwise equal as normalised strings, spaces, case and polite endings aside;
 *   - an answer that is a phrase gives its last quantity, after its last "=". A phrase that hedges
 *     (12 또는 13, 3~5, "12, 13") or leaves a calculation open (3 × 4) gives none.
 *
 * Nothing is evaluated, and inputs longer than 300 characters are compared as strings only.
 */
import { normalizeMath } from './math-text.ts'
import { equalQuantities, findQuantities, parseQuantity, type Quantity } from './quantity.ts'

const LONGEST = 300
/** What stands before the last quantity when it is one of several, or part of a calculation. */
const HEDGED = /(?:또는|혹은|거나|아니면|\bor|\d[^\s\d]?\s*[,、~])$/i
const CALCULATED = /\d[^\s\d]?\s*[×*+÷]$|\d\s+-$/
/** "x = 12": one name for the value, as against an equation. */
const NAMED = /^[\p{L}]{1,12}\s*=\s*/u

/** True when `candidate` is equivalent to `gold`; an empty gold equals nothing. Never throws. */
export function isEquivalent(gold: string, candidate: string): boolean {
  const expected = normalizeMath(gold.slice(0, 4000))
  const actual = normalizeMath(candidate.slice(0, 4000))
  if (expected === '' || actual === '') return false
  const compactGold = compact(expected)
  if (compactGold === compact(actual)) return true
  if (expected.length > LONGEST || actual.length > LONGEST) return false
  const goldQuantity = parseQuantity(expected.replace(NAMED, ''))
  if (goldQuantity === null) return compactGold === compact(afterEquals(actual))
  const quantity = parseQuantity(actual) ?? quantityOfPhrase(actual)
  return quantity !== null && equalQuantities(goldQuantity, quantity)
}

/** The one quantity that a phrase states, or null. */
function quantityOfPhrase(phrase: string): Quantity | null {
  const statement = afterEquals(phrase)
  const bare = statement.replace(/\([^()]*\)/g, ' ').trim()
  const text = bare === '' ? statement : bare
  const whole = parseQuantity(text)
  if (whole !== null) return whole
  const last = findQuantities(text).at(-1)
  if (last !== undefined) {
    const before = text.slice(0, last.start).trimEnd()
    return HEDGED.test(before) || CALCULATED.test(before) ? null : last
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

function compact(text: string): string {
  return text
    .replace(/\s+/g, '')
    .replace(/(?:입니다|이에요|예요|이다)?[.!。]*$/, '')
    .toLowerCase()
}
