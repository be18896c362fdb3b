/**
 * A quantity: a number with a unit, or several of one kind together (2시간 30분, 3m 20cm, 5월 3일).
 * Units that convert or must not be confused have a dimension; counters (개, 명, 살 …) and unknown
 * words have none and do not count. Times of day (3시 30분, 3:30, 오후 3시) and dates are kinds of
 * their own, so 3시간 is not 3시.
 */
import { calendarDate, clockTime, halfDay, splitHalfDay } from './clock.ts'
import { readNumber } from './numeral.ts'
import { add, invert, multiply, type Rational, rational } from './rational.ts'
import { COUNTERS, NATIVE_COUNTERS, UNIT_NAMES, type Unit } from './units.ts'
import { equalNumbers } from './values.ts'

export interface Quantity {
  /** In the base unit of the dimension. */
  value: Rational
  /** The number as written, in the smallest unit written. */
  written: Rational
  /** Null: a plain number or a counted thing. */
  dimension: string | null
}

const SPEED = /^(시|분|초)속\s?/
const PREFIX = /^(?:약|총|모두|전부|대략|각각|₩)\s*/
const FACTOR = /^(?:[a-zA-Z]{1,2}(?![a-zA-Z])|[\\^])/
const ENDING = /\s*(?:(?:입니다|이다|이에요|예요|이야|임|다)[.!。]*|[.。]*)$/
/** Words that stand for a numeral or a quantity as a whole. */
const SPELLED: readonly [RegExp, string][] = [
  [/^(?:마이너스|음의|영하)\s?(?=[\d가-힣])/, '-'],
  [/^정오$/, '12시'],
  [/^자정$/, '0시'],
  [/^(?:절반|반)$/, '1/2'],
  [/^유월(?=\s?[\d가-힣]|$)/, '6월'],
  [/^시월(?=\s?[\d가-힣]|$)/, '10월'],
]
/** Native names of a number of days. */
const DAYS: readonly [string, bigint][] = [
  ['하루', 1n],
  ['이틀', 2n],
  ['사흘', 3n],
  ['나흘', 4n],
  ['닷새', 5n],
  ['엿새', 6n],
  ['이레', 7n],
  ['여드레', 8n],
  ['아흐레', 9n],
  ['열흘', 10n],
  ['보름', 15n],
]
const DAY = UNIT_NAMES.find(([name]) => name === '일')![1]
const HALF: Rational = { num: 1n, den: 2n }
const FUNCTION = /^(?:pi|sqrt|sin|cos|tan|log|or|and)$/
const SINGLE_SINO = /^[일이삼사오육칠팔구]([가-힣]+)$/

interface QuantityAt extends Quantity {
  end: number
}

/** The quantity that starts at `start` of a normalised text, or null. */
function readQuantity(text: string, start: number, hangul: boolean): QuantityAt | null {
  const first = readPart(text, start, hangul)
  if (first === null) return null
  if (first.unit === null || first.unit.dimension === null) {
    return { value: first.number, written: first.number, dimension: null, end: first.end }
  }
  let { dimension, factor } = first.unit
  let value = multiply(first.number, factor)
  let end = first.end
  for (;;) {
    const gap = text[end] === ' ' ? end + 1 : end
    if (['clock', 'time', 'months'].includes(dimension) && isHalf(text, gap)) {
      value = add(value, multiply(factor, HALF))
      end = gap + 1
      break
    }
    const next = readPart(text, gap, hangul)
    if (next?.unit?.dimension == null) break
    const part = continuation(dimension, factor, next.unit)
    if (part === null) break
    value = add(value, multiply(next.number, part))
    factor = part
    end = next.end
  }
  if (dimension === 'date' && factor.num === 100n) {
    // A month alone is just a number.
    return { value: first.number, written: first.number, dimension: null, end }
  }
  const written = multiply(value, { num: factor.den, den: factor.num })
  return { value, written, dimension, end }
}

/** The whole of `text` as one quantity (counter words and polite endings allowed), or null. */
export function parseQuantity(text: string): Quantity | null {
  let rest = text.replace(ENDING, '').replace(PREFIX, '')
  for (const [pattern, replacement] of SPELLED) rest = rest.replace(pattern, replacement)
  const date = calendarDate(rest)
  if (date !== null) return exactly(date, 'calendar')
  const time = clockTime(rest)
  if (time !== null) return { ...exactly(time.num, 'clock'), written: rational(time.num, 60n)! }
  const speed = SPEED.exec(rest)
  if (speed !== null) return speedOf(parseQuantity(rest.slice(speed[0].length)), speed[1]!)
  const half = splitHalfDay(rest)
  if (half !== null) rest = half[1]
  const quantity = readQuantity(rest, 0, true)
  if (quantity === null || !isTail(rest, quantity)) return null
  if (half === null) return quantity
  return quantity.dimension === 'clock'
    ? { ...quantity, value: halfDay(quantity.value, half[0]) }
    : null
}

/** Whether what follows the quantity is nothing, a counter, or (behind digits) any one word. */
function isTail(text: string, quantity: QuantityAt): boolean {
  const tail = text.slice(quantity.end)
  const word = tail.trim()
  const single = SINGLE_SINO.exec(text)
  if (single !== null && NATIVE_COUNTERS.test(single[1]!)) return false
  if (word === '' || COUNTERS.test(word)) return true
  if (!/^[-+]?[\d.]/.test(text) || FUNCTION.test(word)) return false
  return /^[가-힣]{1,6}$/.test(word) || /^\s?[a-zA-Z]{3,15}$/.test(tail)
}

/** 시속 60 km: a length an hour (a minute, a second). */
function speedOf(length: Quantity | null, per: string): Quantity | null {
  if (length?.dimension !== 'length') return null
  const seconds = per === '시' ? 3600n : per === '분' ? 60n : 1n
  return {
    value: multiply(length.value, { num: 1n, den: 1000n * seconds }),
    written: length.written,
    dimension: 'speed',
  }
}

function exactly(value: bigint, dimension: string): Quantity {
  return { value: { num: value, den: 1n }, written: { num: value, den: 1n }, dimension }
}

/** A quantity found in running text, and where it starts. */
interface QuantityInText extends Quantity {
  start: number
  end: number
}

/** Every quantity in running text that is written with digits, in order. */
export function findQuantities(text: string): QuantityInText[] {
  const found: QuantityInText[] = []
  let position = 0
  while (position < text.length) {
    const point = text[position] === '.' && /\d/.test(text[position + 1] ?? ' ')
    if (!point && !/\d/.test(text[position]!)) {
      position++
      continue
    }
    const minus = text[position - 1] === '-' && !/[\p{L}\p{N})]/u.test(text[position - 2] ?? ' ')
    const start = minus ? position - 1 : position
    const quantity = readQuantity(text, start, false)
    if (quantity === null) {
      while (position < text.length && /[\d.,]/.test(text[position]!)) position++
    } else {
      // 2x, 3\\pi and 2^n are expressions, not the number they begin with.
      if (quantity.dimension !== null || !FACTOR.test(text.slice(quantity.end, quantity.end + 3))) {
        found.push({ ...quantity, start })
      }
      position = quantity.end
    }
  }
  return found
}

/**
 * Equality of quantities. Same dimension: by value. One without a dimension: by the number as
 * written. A percentage equals both its number (50) and its value (0.5). Otherwise unequal.
 * Decimals agree to `precision` places in the unit of `a`.
 */
export function equalQuantities(a: Quantity, b: Quantity, precision = 6): boolean {
  const close = (x: Rational, y: Rational): boolean => equalNumbers(x, y, precision, true)
  if (a.dimension === b.dimension) {
    if (a.value.num === 0n) return b.value.num === 0n
    const perUnit = multiply(a.written, invert(a.value)!)
    return close(a.written, multiply(b.value, perUnit))
  }
  if (a.dimension === null || b.dimension === null) {
    const [plain, other] = a.dimension === null ? [a, b] : [b, a]
    if (close(plain.written, other.written)) return true
    return other.dimension === 'percent' && close(plain.written, other.value)
  }
  return false
}

function readPart(
  text: string,
  start: number,
  hangul: boolean,
): { number: Rational; unit: Unit | null; end: number } | null {
  const days = hangul ? DAYS.find(([word]) => text.startsWith(word, start)) : undefined
  if (days !== undefined)
    return { number: { num: days[1], den: 1n }, unit: DAY, end: start + days[0].length }
  const number =
    hangul && text.startsWith('반 ', start)
      ? { value: HALF, end: start + 1 }
      : readNumber(text, start, hangul)
  if (number === null) return null
  for (const gap of text[number.end] === ' ' ? [0, 1] : [0]) {
    const at = number.end + gap
    const found = UNIT_NAMES.find(([name]) => text.startsWith(name, at) && endsWord(text, at, name))
    if (found !== undefined) {
      return { number: number.value, unit: found[1], end: at + found[0].length }
    }
  }
  return { number: number.value, unit: null, end: number.end }
}

/** A Latin unit ends where its word ends; "개" after a Korean month "달" etc. needs no check. */
function endsWord(text: string, at: number, name: string): boolean {
  const next = text[at + name.length] ?? ' '
  if (/[a-zA-Z]$/.test(name)) return !/[a-zA-Z^/]/.test(next)
  // 시 is also the start of 시간 (longer, tried first) and of words such as 시작.
  return name !== '시' || !/[작도험장]/.test(next)
}

/** The factor of the next part when it continues the one before, else null. */
function continuation(dimension: string, factor: Rational, next: Unit): Rational | null {
  if (dimension === 'clock' && next.dimension === 'time' && next.factor.num <= 60n) {
    return next.factor
  }
  // 5월 3일: the day of a date, which elsewhere is a duration.
  if (dimension === 'date' && next.dimension === 'time' && next.factor.num === 86_400n) {
    return { num: 1n, den: 1n }
  }
  const smaller = next.factor.num * factor.den < factor.num * next.factor.den
  return next.dimension === dimension && smaller ? next.factor : null
}

function isHalf(text: string, position: number): boolean {
  return text[position] === '반' && !/[가-힣]/.test(text[position + 1] ?? ' ')
}
