/** Times of day (3:30, 오후 3시, 정오) and calendar dates (2018.11.3, 2018년 11월 3일). */
import type { Rational } from './rational.ts'

const CLOCK = /^(오전|오후|AM|PM|am|pm)?\s?(\d{1,2}):([0-5]\d)\s?(AM|PM|am|pm|a\.m\.|p\.m\.)?$/
const HALF_DAY = /^(오전|아침|새벽|낮|오후|저녁|밤)\s?/
const DATE = /^(\d{4})\s?(?:년|[-./])\s?(\d{1,2})\s?(?:월|[-./])\s?(\d{1,2})\s?(?:일|\.)?$/
const NOON = 43_200n
const HOUR = 3600n

/** Seconds since midnight of "오후 3:30", "15:30"; null for anything else. */
export function clockTime(text: string): Rational | null {
  const match = CLOCK.exec(text)
  const hours = Number(match?.[2] ?? 25)
  if (match === null || hours > 24) return null
  const seconds = { num: BigInt(hours * 3600 + Number(match[3]) * 60), den: 1n }
  const half = match[1] ?? match[4]
  return half === undefined ? seconds : halfDay(seconds, half)
}

/** "오후 3시" as ["오후", "3시"]; null without a part of the day. */
export function splitHalfDay(text: string): [half: string, rest: string] | null {
  const match = HALF_DAY.exec(text)
  return match === null ? null : [match[1]!, text.slice(match[0].length)]
}

/** Seconds since midnight where the clock of twelve hours shows `seconds` in that half of the day. */
export function halfDay(seconds: Rational, half: string): Rational {
  const noon = NOON * seconds.den
  // 밤 12시 and 밤 1시 are the next morning's, 낮 11시 is still this morning's.
  const small = seconds.num < noon / 2n
  const twelve = seconds.num >= noon && seconds.num < noon + HOUR * seconds.den
  const afternoon =
    half === '밤'
      ? !small && !twelve
      : half === '낮'
        ? small || seconds.num >= noon
        : /오후|저녁|p\.?m/i.test(half)
  if (afternoon && seconds.num < noon) return { num: seconds.num + noon, den: seconds.den }
  if (!afternoon && seconds.num >= noon && seconds.num < 2n * noon) {
    return { num: seconds.num - noon, den: seconds.den }
  }
  return seconds
}

/** The number yyyymmdd of a full date, or null. */
export function calendarDate(text: string): bigint | null {
  const [year, month, day] = (DATE.exec(text) ?? []).slice(1).map(Number)
  if (year === undefined || month! < 1 || month! > 12 || day! < 1 || day! > 31) return null
  return BigInt(year * 10_000 + month! * 100 + day!)
}
