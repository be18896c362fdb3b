/**
 * The true verdict on an answer to one of the miniature's problems: the `program` judge. It knows
 * the task (gold number, unit and question), so it is stricter and more right than a general
 * checker. The statement runs from the first "정답:" (or "답:", "Answer:") to the end; without one
 * it is the whole answer. Right means:
 * - every quantity in the statement is the gold one, so two different numbers never pass;
 * - a unit, where written, is the one asked for, or a mixture of greater and smaller ones that
 *   comes to the same (2시간 30분 for 150분); a repeated part of the question is allowed where it
 *   asks "3시 몇 분" or "4월 며칠";
 * - numbers are read in digits, with thousands separators, with 억/만/천/백 (3만 2천원) and in
 *   Sino-Korean words (삼만 이천원); a sign, a leading zero or a calculation is not an answer;
 * - nothing hedges or denies ("또는", "아니다").
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'

/** What the checker needs of a record; `unit` and `question` make it stricter and more right. */
export interface MiniTask {
  /** Gold answer in digits. */
  readonly answer: string
  /** Unit in Korean ("원"); without it any known unit passes. */
  readonly unit?: string
  readonly question?: string
}

interface MiniVerdict {
  readonly verdict: boolean
  /** Why, in a few words, for logs. */
  readonly reason: string
}

interface Quantity {
  readonly value: number
  /** Known unit after the number, '' for none. */
  readonly unit: string
  readonly end: number
}

const MARKER = /(?:정답|답|[Aa]nswer)\s*(?:은|는|is)?\s*[:：]/u
const HEDGE =
  /아니|아닙|아닌|않|또는|혹은|아마|모르|모름|정도|쯤|\bor\b|\bnot\b|\bmaybe\b|[~?=+×÷*/]/u
const UNITS = [
  '시간',
  '봉지',
  '자루',
  '켤레',
  '송이',
  '상자',
  '개월',
  '바퀴',
  'km',
  'won',
  '원',
  '개',
  '병',
  '권',
  '줄',
  '장',
  '명',
  '살',
  '세',
  '시',
  '분',
  '일',
  '쪽',
  '번',
  '월',
  '년',
  '주',
  'm',
] as const
/** What may follow a quantity at once: polite endings and particles. */
const ENDING =
  /^(?:입니다|이다|이에요|이예요|예요|에요|임|다|요|이|을|를|간|동안|뒤|째)?(?![\p{L}\p{N}])/u
/** Units that add up to a smaller one: smaller unit, greater unit, factor. */
const MIXED: Readonly<Record<string, readonly [string, number]>> = {
  분: ['시간', 60],
  시간: ['일', 24],
  개월: ['년', 12],
  일: ['주', 7],
  m: ['km', 1000],
}
const SYNONYMS: Readonly<Record<string, string>> = { 세: '살', won: '원' }

const DIGITS: Readonly<Record<string, number>> = {
  일: 1,
  이: 2,
  삼: 3,
  사: 4,
  오: 5,
  육: 6,
  칠: 7,
  팔: 8,
  구: 9,
}
const SMALL: Readonly<Record<string, number>> = { 십: 10, 백: 100, 천: 1000 }
const LARGE: Readonly<Record<string, number>> = { 만: 10_000, 억: 100_000_000 }

/** One number in digits, "" when `text` does not start with a well-formed one. */
const ARABIC = /^(?:[1-9]\d{0,2}(?:,\d{3})+|0|[1-9]\d*)(?:\.\d+)?(?![\d])/u

/**
 * A number at the start of `text` and its length: digits, Sino-Korean words and the units
 * 십/백/천/만/억 in descending order. Null when there is none or it is not well formed.
 */
function readNumber(text: string): { value: number; length: number } | null {
  let total = 0
  let section = 0
  let current: number | null = null
  let [lastSmall, lastLarge] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  let at = 0
  let any = false
  while (at < text.length) {
    // A space may stand before a further part ("3만 2천"), not before a unit of the same one.
    const gap = any && text[at] === ' ' ? 1 : 0
    const rest = text.slice(at + gap)
    const arabic = ARABIC.exec(rest)?.[0]
    const head = rest[0] ?? ''
    if (arabic !== undefined) {
      if (
        current !== null ||
        (any &&
          gap === 0 &&
          lastSmall === Number.POSITIVE_INFINITY &&
          lastLarge === Number.POSITIVE_INFINITY)
      )
        return null
      current = Number(arabic.replaceAll(',', ''))
      at += gap + arabic.length
    } else if (Object.hasOwn(DIGITS, head) && current === null && !isUnitHere(rest, any)) {
      current = DIGITS[head]!
      at += gap + 1
    } else if (Object.hasOwn(SMALL, head) && (gap === 0 || current === null)) {
      const scale = SMALL[head]!
      if (scale >= lastSmall) return null
      section += (current ?? 1) * scale
      lastSmall = scale
      current = null
      at += gap + 1
    } else if (Object.hasOwn(LARGE, head) && gap === 0) {
      const scale = LARGE[head]!
      if (scale >= lastLarge) return null
      const amount = section + (current ?? 0)
      total += (amount === 0 ? 1 : amount) * scale
      lastLarge = scale
      lastSmall = Number.POSITIVE_INFINITY
      section = 0
      current = null
      at += 1
    } else break
    any = true
  }
  return any ? { value: total + section + (current ?? 0), length: at } : null
}

/** A statement longer than this, in characters, is not one; it also bounds the time a text can take. */
const MAX_STATEMENT = 400

/** 일 and 이 are also a unit and a particle: after a number they are those. */
function isUnitHere(rest: string, afterNumber: boolean): boolean {
  return afterNumber && /^(?:일|이)(?![십백천만억])/u.test(rest)
}

/** Where numbers in words may begin: at the start of a word. */
const WORD_NUMBER =
  /(?<!\p{L})[일이삼사오육칠팔구십백천만]+(?:[ 일이삼사오육칠팔구십백천만])*?(?=\s?(?:원|개|병|권|줄|장|명|살|시|분|일|쪽|번|km|m))/u

/** All quantities of a statement, or null when one of its numbers is not well formed. */
function quantities(statement: string): readonly Quantity[] | null {
  const found: Quantity[] = []
  let at = 0
  while (at < statement.length) {
    const rest = statement.slice(at)
    const digit = rest.search(/\p{N}/u)
    const word = rest.search(WORD_NUMBER)
    const start = digit < 0 ? word : word < 0 ? digit : Math.min(digit, word)
    if (start < 0) break
    const before = statement.slice(0, at + start)
    if (/[-−.,]$/u.test(before) && start === digit) return null
    const number = readNumber(rest.slice(start))
    if (number === null) return null
    let end = at + start + number.length
    const after = statement.slice(end)
    const space = after.startsWith(' ') ? 1 : 0
    const unit = UNITS.find(name => after.startsWith(name, space)) ?? ''
    if (unit !== '') end += space + unit.length
    found.push({ value: number.value, unit: SYNONYMS[unit] ?? unit, end })
    at = end
  }
  return found
}

/** Adds up mixtures (2시간 30분) into the smaller unit where that is the one asked for. */
function join(parts: readonly Quantity[], unit: string | undefined): readonly Quantity[] {
  const mixed = unit === undefined ? undefined : MIXED[unit]
  if (mixed === undefined) return parts
  const joined: Quantity[] = []
  for (const part of parts) {
    const last = joined[joined.length - 1]
    if (last?.unit === mixed[0] && part.unit === unit && part.value < mixed[1]) {
      joined[joined.length - 1] = { ...part, value: last.value * mixed[1] + part.value }
    } else joined.push(part)
  }
  return joined.map(part =>
    part.unit === mixed[0] ? { ...part, unit: unit!, value: part.value * mixed[1] } : part,
  )
}

const no = (reason: string): MiniVerdict => ({ verdict: false, reason })

/** The part of an answer that follows its thinking; null when the thinking never ends. */
function afterThinking(text: string): string | null {
  const end = text.lastIndexOf('</think>')
  if (end >= 0) return text.slice(end + '</think>'.length)
  return text.includes('<think>') ? null : text
}

/**
 * Whether `answer`, the text after the thinking (a whole completion is cut there), states the gold
 * answer of `task`.
 * @throws KogrpoError `E_DATA` when the gold answer is not a whole number in digits.
 */
export function checkMiniAnswer(task: MiniTask, answer: string): MiniVerdict {
  if (!/^\d+$/.test(task.answer)) {
    throw new KogrpoError(
      'E_DATA',
      phrase(
        'gold answer "{answer}" is not a whole number in digits: the miniature\'s judge reads only its own problems',
        { answer: task.answer },
      ),
    )
  }
  const text = afterThinking(answer)
  if (text === null) return no('the thinking has no end')
  const visible = text.replace(/<\|[a-z_]+\|>/g, ' ').normalize('NFC')
  const marker = MARKER.exec(visible)
  let statement = marker === null ? visible : visible.slice(marker.index + marker[0].length)
  statement = statement.replace(new RegExp(MARKER, 'gu'), ' ').trim()
  if (statement === '') return no('no answer')
  if (statement.length > MAX_STATEMENT) return no('too long to be an answer')
  if (HEDGE.test(statement)) return no('hedged, denied or left as a calculation')

  const asked = /(\d+시|\d+월|오전|오후) (?:몇 분|며칠|몇 시)/.exec(task.question ?? '')?.[1]
  if (asked !== undefined)
    statement = statement.replaceAll(new RegExp(`(?<!\\d)${asked}`, 'gu'), ' ')
  if (/오전|오후/.test(statement)) return no('the other half of the day')

  const parts = quantities(statement)
  if (parts === null) return no('a number is not well formed')
  if (parts.length === 0) return no('no number')
  for (const part of parts) {
    if (!ENDING.test(statement.slice(part.end))) return no('the number is part of another word')
  }
  const joined = asked === undefined ? join(parts, task.unit) : parts
  const gold = Number(task.answer)
  for (const { value, unit } of joined) {
    if (value !== gold) return no(`states ${value}${unit}`)
    if (unit !== '' && task.unit !== undefined && unit !== task.unit) return no(`unit is ${unit}`)
  }
  return { verdict: true, reason: 'states the gold answer' }
}
