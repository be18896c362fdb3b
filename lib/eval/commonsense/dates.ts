/**
 * Dates: lunar and solar holidays, lunar dates, discharge from military service; days, weeks and
 * weekdays on; then a date, a weekday, a lunar date or a year's animal.
 */
import { josa } from '../../mini/korean.ts'
import type { Random } from '../../mini/random.ts'
import {
  animalOf,
  dateOf,
  dateText,
  dayOf,
  lunarOf,
  lunarText,
  solarOf,
  weekdayName,
  weekdayOf,
} from './calendar.ts'
import type { Chain, Family, Step } from './chain.ts'

const LUNAR_HOLIDAYS = {
  설날: [1, 1],
  정월대보름: [1, 15],
  부처님오신날: [4, 8],
  단오: [5, 5],
  칠석: [7, 7],
  추석: [8, 15],
  중양절: [9, 9],
} as const
const SOLAR_HOLIDAYS = {
  삼일절: [3, 1],
  어린이날: [5, 5],
  현충일: [6, 6],
  광복절: [8, 15],
  개천절: [10, 3],
  한글날: [10, 9],
  성탄절: [12, 25],
} as const
/** Months of service as the question gives them. */
const SERVICE = { 육군: 18, 해군: 20, 공군: 21 } as const

interface State {
  day: number
  text: string
  steps: Step[]
}

function begin(random: Random): State | null {
  const year = random.int(1975, 2035)
  const kind = random.int(0, 3)
  if (kind === 0) {
    const name = random.pick(Object.keys(LUNAR_HOLIDAYS) as (keyof typeof LUNAR_HOLIDAYS)[])
    const [month, date] = LUNAR_HOLIDAYS[name]
    const day = solarOf(year, month, date)!
    const does = `${year}년 ${name}(음력 ${month}월 ${date}일)의 양력 날짜를 구한다.`
    return { day, text: `${year}년 ${name}`, steps: [{ does, result: dateText(day) }] }
  }
  if (kind === 1) {
    const name = random.pick(Object.keys(SOLAR_HOLIDAYS) as (keyof typeof SOLAR_HOLIDAYS)[])
    const [month, date] = SOLAR_HOLIDAYS[name]
    const day = dayOf(year, month, date)
    const does = `${name}의 날짜를 떠올린다.`
    return { day, text: `${year}년 ${name}`, steps: [{ does, result: dateText(day) }] }
  }
  if (kind === 2) {
    const [month, date] = [random.int(1, 12), random.int(1, 30)]
    const day = solarOf(year, month, date)
    if (day === null) return null
    const text = `음력 ${year}년 ${month}월 ${date}일(평달)`
    return { day, text, steps: [{ does: `${text}을 양력으로 바꾼다.`, result: dateText(day) }] }
  }
  const branch = random.pick(Object.keys(SERVICE) as (keyof typeof SERVICE)[])
  const [month, date] = [random.int(1, 12), random.int(1, 28)]
  const months = SERVICE[branch]
  const last = month - 1 + months
  const day = dayOf(year + Math.floor(last / 12), (last % 12) + 1, date) - 1
  const text = `${year}년 ${month}월 ${date}일에 ${branch}에 입대해 ${months}개월 복무한 사람의 전역일(입대일에서 ${months}개월 뒤의 하루 전)`
  return { day, text, steps: [{ does: '전역일을 구한다.', result: dateText(day) }] }
}

function move({ day, text, steps }: State, random: Random): State {
  const kind = random.int(0, 3)
  const n = random.int(2, 60)
  let [to, words] = [day, '']
  if (kind === 0) [to, words] = [day + n, `${n}일 뒤`]
  else if (kind === 1) [to, words] = [day - n, `${n}일 전`]
  else if (kind === 2) {
    const weeks = random.int(2, 12)
    ;[to, words] = [day + 7 * weeks, `${weeks}주 뒤`]
  } else {
    const weekday = random.int(0, 6)
    const days = ((weekday - weekdayOf(day) + 6) % 7) + 1
    ;[to, words] = [day + days, `바로 다음에 오는 ${weekdayName(weekday)}(그날은 빼고)`]
  }
  const does = `${dateText(day)}에서 다음을 구한다: ${words}.`
  return {
    day: to,
    text: `${text}의 ${words}`,
    steps: [...steps, { does, result: dateText(to) }],
  }
}

/** The question about a day: words, answer. */
function end(day: number, random: Random): { asks: string; answer: string } {
  const lunar = lunarOf(day)
  const kind = random.int(0, 2)
  if (kind === 0) return { asks: '무슨 요일인가?', answer: weekdayName(weekdayOf(day)) }
  if (kind === 1)
    return {
      asks: '음력으로 몇 월 며칠인가? (윤달이면 "음력 윤2월 3일"처럼, 아니면 "음력 2월 3일"처럼 답하라.)',
      answer: lunarText(lunar),
    }
  return {
    asks: '이날 태어난 아이의 띠는 무엇인가? (띠는 음력 설날에 바뀐다. "용띠"처럼 답하라.)',
    answer: animalOf(lunar.year),
  }
}

export const dates: Family = (random, level): Chain | null => {
  let state = begin(random)
  if (state === null) return null
  const asked = level > 1
  for (let i = 0; i < level - (asked ? 2 : 1); i++) state = move(state, random)
  const [year] = dateOf(state.day)
  if (year < 1970 || year > 2040) return null
  if (!asked) {
    const answer = dateText(state.day)
    // What stands in brackets is behind "일".
    const topic = state.text.endsWith(')') ? `${state.text}은` : josa(state.text, '은/는')
    return {
      family: 'dates',
      question: `${topic} 양력으로 언제인가? ("2024년 3월 1일"처럼 답하라.)`,
      answer,
      steps: state.steps,
    }
  }
  const { asks, answer } = end(state.day, random)
  return {
    family: 'dates',
    question: `다음 날을 생각하라: ${state.text}. ${asks}`,
    answer,
    steps: [...state.steps, { does: `${dateText(state.day)}에 대해 답한다.`, result: answer }],
  }
}
