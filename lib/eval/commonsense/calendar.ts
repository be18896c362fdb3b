/**
 * Days as whole numbers (1 January 1970 = 0), their weekdays, and the Korean lunisolar calendar from
 * ICU's `dangi`, which computes new moons and solar terms at Korean time. Used from 1970 to 2040.
 */

interface Lunar {
  year: number
  month: number
  /** A leap month (윤달). */
  leap: boolean
  day: number
}

const DAY_MS = 86_400_000
const WEEKDAYS = ['일', '월', '화', '수', '목', '금', '토'] as const
const ANIMALS = [
  '쥐',
  '소',
  '호랑이',
  '토끼',
  '용',
  '뱀',
  '말',
  '양',
  '원숭이',
  '닭',
  '개',
  '돼지',
] as const

const dangi = new Intl.DateTimeFormat('en-u-ca-dangi', {
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  timeZone: 'UTC',
})

/** The day of a date of the solar calendar. */
export const dayOf = (year: number, month: number, day: number): number =>
  Date.UTC(year, month - 1, day) / DAY_MS

/** Year, month (1–12) and day of the month. */
export function dateOf(day: number): [number, number, number] {
  const date = new Date(day * DAY_MS)
  return [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
}

/** 0: Sunday. 1 January 1970 was a Thursday. */
export const weekdayOf = (day: number): number => (((day + 4) % 7) + 7) % 7

export const weekdayName = (weekday: number): string => `${WEEKDAYS[weekday]}요일`

/** The animal of a lunar year: 띠. 1960 was a year of the rat. */
export const animalOf = (year: number): string => `${ANIMALS[(((year - 1960) % 12) + 12) % 12]}띠`

/** "2024년 2월 10일". */
export function dateText(day: number): string {
  const [y, m, d] = dateOf(day)
  return `${y}년 ${m}월 ${d}일`
}

/** "음력 1월 1일" or "음력 윤2월 1일", without its year. */
export const lunarText = ({ month, leap, day }: Lunar): string =>
  `음력 ${leap ? '윤' : ''}${month}월 ${day}일`

/**
 * ICU's new moons are good to some minutes. That of 26 February 2017 was at 23:58 Korean time, which ICU
 * has on the 27th: the one day from 1962 to 2040 on which it leaves the calendar (the test computes all).
 */
const LATE_MONTH = { start: dayOf(2017, 2, 26), days: 30, year: 2017, month: 2 }

/** The lunar date of a day. */
export function lunarOf(day: number): Lunar {
  const { start, days, year, month: late } = LATE_MONTH
  if (day >= start && day < start + days) {
    return { year, month: late, leap: false, day: day - start + 1 }
  }
  const parts = dangi.formatToParts(new Date(day * DAY_MS))
  const part = (type: string): string => parts.find(p => p.type === type)!.value
  const month = part('month')
  return {
    year: Number(part('relatedYear')),
    month: Number.parseInt(month, 10),
    leap: month.endsWith('bis'),
    day: Number(part('day')),
  }
}

/** The day of a lunar date in no leap month; null where the month has no such day. */
export function solarOf(year: number, month: number, day: number): number | null {
  // Month m begins 29.53 (m − 1) days behind the new year, which is from 20 January on; a leap month
  // before it makes that one more.
  const from = dayOf(year, 1, 20) + Math.floor(29.53 * (month - 1))
  for (let at = from; at < from + 65; at++) {
    const lunar = lunarOf(at)
    if (lunar.year !== year || lunar.month !== month || lunar.leap || lunar.day !== 1) continue
    const found = lunarOf(at + day - 1)
    return found.month === month && !found.leap && found.day === day ? at + day - 1 : null
  }
  return null
}
