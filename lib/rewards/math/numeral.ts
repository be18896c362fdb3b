/**
 * Reads a number at a position of a text: Arabic digits with thousands separators and decimals,
 * Korean magnitudes (1억 2천만, 3.5만), Sino-Korean (이백오십) and native Korean (열다섯) numerals,
 * decimals in words (삼점일사), fractions (3/4, 1 1/2, 4분의 3, 1과 2분의 1) and powers of ten (1.5×10^3, 2e5). Values are exact rationals.
 * Bounded: numerals of more than 40 digits and exponents beyond ±60 are not numbers here.
 */

import { add, multiply, type Rational } from './rational.ts'

interface NumberAt {
  value: Rational
  /** Position after the number. */
  end: number
}

const SINO: Record<string, bigint> = {
  영: 0n,
  공: 0n,
  일: 1n,
  이: 2n,
  삼: 3n,
  사: 4n,
  오: 5n,
  육: 6n,
  칠: 7n,
  팔: 8n,
  구: 9n,
}
const SMALL: Record<string, bigint> = { 십: 10n, 백: 100n, 천: 1000n }
const LARGE: Record<string, bigint> = {
  만: 10n ** 4n,
  억: 10n ** 8n,
  조: 10n ** 12n,
  경: 10n ** 16n,
}
const NATIVE_TENS: [string, number][] = [
  ['열', 10],
  ['스물', 20],
  ['스무', 20],
  ['서른', 30],
  ['마흔', 40],
  ['쉰', 50],
  ['예순', 60],
  ['일흔', 70],
  ['여든', 80],
  ['아흔', 90],
]
const NATIVE_ONES: [string, number][] = [
  ['하나', 1],
  ['한', 1],
  ['둘', 2],
  ['두', 2],
  ['셋', 3],
  ['석', 3],
  ['세', 3],
  ['넷', 4],
  ['넉', 4],
  ['네', 4],
  ['다섯', 5],
  ['여섯', 6],
  ['일곱', 7],
  ['여덟', 8],
  ['아홉', 9],
]

const ARABIC = /(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+/y
const POWER_OF_TEN = /\s?[×x*]\s?10\^\{?([-+]?\d{1,2})\}?|[eE]([-+]?\d{1,2})(?![\p{L}\d])/uy
const DENOMINATOR = /\s?\/\s?(\d{1,40})(?!\d|\.\d)/y
const MIXED = /\s(\d{1,40})\s?\/\s?(\d{1,40})(?!\d|\.\d)/y
const DECIMALS = /\s?점\s?([영공일이삼사오육칠팔구]{1,40})(?![가-힣])/y
const AND_FRACTION = /[과와]\s?(?=[\d가-힣]+\s?분의)/y
const MAX_DIGITS = 40

/**
 * The number that starts at `start`, or null. With `hangul` false it must start with a digit, and
 * Hangul counts only as a magnitude within it, so that particles and words are not read as numbers.
 */
export function readNumber(text: string, start: number, hangul: boolean): NumberAt | null {
  const negative = text[start] === '-'
  const begin = negative || text[start] === '+' ? start + 1 : start
  const magnitude = (hangul ? readNative(text, begin) : null) ?? readMixed(text, begin, hangul)
  if (magnitude === null) return null
  const whole = readFraction(text, magnitude, hangul)
  if (whole === null) return null
  return negative ? { ...whole, value: { num: -whole.value.num, den: whole.value.den } } : whole
}

/** Digits, Sino-Korean digits and magnitudes in descending order: 1억 2천만, 3만 5,000, 이백오십. */
function readMixed(text: string, start: number, hangul: boolean): NumberAt | null {
  let total: Rational = { num: 0n, den: 1n }
  let section: Rational = { num: 0n, den: 1n }
  let digits: Rational | null = null
  let smallest = 10n ** 4n
  let largest = 10n ** 20n
  let end = start
  let position = start
  let afterMagnitude = false
  while (position < text.length) {
    const c = text[position]!
    const arabic: NumberAt | null = digits === null ? arabicAt(text, position) : null
    if (arabic !== null) {
      const bound = smallest < 10n ** 4n ? smallest : largest
      if (afterMagnitude && arabic.value.num >= bound * arabic.value.den) break
      digits = arabic.value
      position = arabic.end
    } else if (
      digits === null &&
      c in SINO &&
      (hangul || (end > start && isSinoRun(text, position)))
    ) {
      digits = { num: SINO[c]!, den: 1n }
      position++
    } else if (c in SMALL && SMALL[c]! < smallest && (hangul || end > start)) {
      section = add(section, multiply(digits ?? one(), { num: SMALL[c]!, den: 1n }))
      smallest = SMALL[c]!
      digits = null
      position++
      afterMagnitude = true
    } else if (c in LARGE && LARGE[c]! < largest && (hangul || end > start)) {
      if (digits !== null) section = add(section, digits)
      if (section.num === 0n) section = one()
      total = add(total, multiply(section, { num: LARGE[c]!, den: 1n }))
      largest = LARGE[c]!
      smallest = 10n ** 4n
      section = { num: 0n, den: 1n }
      digits = null
      position++
      afterMagnitude = true
    } else if (c === ' ' && afterMagnitude && digits === null && continues(text, position + 1)) {
      position++
      continue
    } else {
      break
    }
    end = position
  }
  if (end === start) return null
  if (digits !== null) section = add(section, digits)
  else if (hangul && afterMagnitude) {
    // 백스물셋: native tens and ones behind Sino-Korean hundreds.
    const native = smallest >= 100n ? readNative(text, position) : null
    if (native !== null && position === end) {
      return { value: add(add(total, section), native.value), end: native.end }
    }
  }
  return withDecimals({ value: add(total, section), end }, text, hangul)
}

/** 삼점일사: "점" and digits in words behind a number in words. */
function withDecimals(at: NumberAt, text: string, hangul: boolean): NumberAt {
  const match = hangul ? matchAt(DECIMALS, text, at.end) : null
  if (match === null) return at
  const digits = [...match[1]!].map(c => SINO[c]!).join('')
  const fraction = { num: BigInt(digits), den: 10n ** BigInt(digits.length) }
  return { value: add(at.value, fraction), end: at.end + match[0].length }
}

/** After a space a numeral goes on with a digit, Hangul that carries a magnitude, or one last digit. */
function continues(text: string, position: number): boolean {
  const last = position === text.length - 1 && (text[position] ?? ' ') in SINO
  return last || /[\d]/.test(text[position] ?? '') || isSinoRun(text, position)
}

/** Whether Sino-Korean numerals with a magnitude start here ("오천", but not the particle "이"). */
function isSinoRun(text: string, position: number): boolean {
  return (text[position] ?? ' ') in SINO && (text[position + 1] ?? ' ') in SMALL
}

function arabicAt(text: string, position: number): NumberAt | null {
  ARABIC.lastIndex = position
  const match = ARABIC.exec(text)
  if (match === null) return null
  const [integer, fraction = ''] = match[0].replace(/,/g, '').split('.')
  if (integer!.length + fraction.length > MAX_DIGITS) return null
  let value: Rational = { num: BigInt(integer + fraction), den: 10n ** BigInt(fraction.length) }
  let end = position + match[0].length
  POWER_OF_TEN.lastIndex = end
  const power = POWER_OF_TEN.exec(text)
  const exponent = power === null ? 0 : Number(power[1] ?? power[2])
  if (power !== null && Math.abs(exponent) <= 60) {
    const scale = 10n ** BigInt(Math.abs(exponent))
    value = multiply(value, exponent < 0 ? { num: 1n, den: scale } : { num: scale, den: 1n })
    end += power[0].length
  }
  return { value, end }
}

function readNative(text: string, start: number): NumberAt | null {
  let value = 0
  let end = start
  for (const table of [NATIVE_TENS, NATIVE_ONES]) {
    const found = table.find(([word]) => text.startsWith(word, end))
    if (found !== undefined) {
      value += found[1]
      end += found[0].length
    }
  }
  return end === start ? null : { value: { num: BigInt(value), den: 1n }, end }
}

/** Appends "/4", " 1/2" (mixed) or "분의 3" to a number; null for a zero denominator. */
function readFraction(text: string, at: NumberAt, hangul: boolean): NumberAt | null {
  const slash = matchAt(DENOMINATOR, text, at.end)
  if (slash !== null) {
    const den = BigInt(slash[1]!)
    if (den === 0n) return null
    return { value: multiply(at.value, { num: 1n, den }), end: at.end + slash[0].length }
  }
  const mixed = matchAt(MIXED, text, at.end)
  if (mixed !== null && at.value.den === 1n) {
    const den = BigInt(mixed[2]!)
    if (den === 0n) return null
    return { value: add(at.value, { num: BigInt(mixed[1]!), den }), end: at.end + mixed[0].length }
  }
  const joint = matchAt(AND_FRACTION, text, at.end)
  if (joint !== null && at.value.den === 1n) {
    const part = readNumber(text, at.end + joint[0].length, hangul)
    if (part !== null) return { value: add(at.value, part.value), end: part.end }
  }
  if (text.startsWith('분의', at.end) && at.value.num !== 0n) {
    const after = text[at.end + 2] === ' ' ? at.end + 3 : at.end + 2
    const top = readMixed(text, after, hangul)
    if (top !== null) {
      const inverse = { num: at.value.den, den: at.value.num }
      return { value: multiply(top.value, inverse), end: top.end }
    }
  }
  return at
}

function matchAt(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position
  return pattern.exec(text)
}

function one(): Rational {
  return { num: 1n, den: 1n }
}
