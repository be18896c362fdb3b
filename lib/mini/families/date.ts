/** Dates, days, weeks and months. */
import { ask, josa } from '../korean.ts'
import { NAMES } from '../lexicon.ts'
import { ref, step, type Template, UNITS } from '../template.ts'

const MONTH_DAYS: readonly number[] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const HABITS: readonly { readonly ko: string; readonly verb: string; readonly unit: string }[] = [
  { ko: '책', verb: '읽었습니다', unit: '쪽' },
  { ko: '수학 문제', verb: '풀었습니다', unit: '개' },
  { ko: '영어 단어', verb: '외웠습니다', unit: '개' },
  { ko: '팔굽혀펴기', verb: '했습니다', unit: '번' },
]
const COUNTED: Readonly<Record<string, string>> = { 쪽: 'pages', 개: 'items', 번: 'times' }

export const DATE: readonly Template[] = [
  {
    id: 'date/next-month',
    steps: 2,
    draw(random) {
      // February is left out: its length depends on the year.
      const month = random.pick([1, 3, 4, 5, 6, 7, 8, 9, 10, 11])
      const length = MONTH_DAYS[month - 1]!
      const day = random.int(8, 30)
      const later = random.int(length + 1 - day, 27)
      if (later < 2) return this.draw(random)
      const event = random.pick(['생일', '소풍', '시험', '여행'])
      const hint = random.chance(0.5) ? ` ${month}월은 ${length}일까지 있습니다.` : ''
      const question = random.pick([
        `오늘은 ${month}월 ${day}일이고 ${josa(event, '은/는')} ${later}일 뒤입니다.${hint} ${josa(event, '은/는')} ${month + 1}월 ${ask(random, '며칠')}`,
        `${month}월 ${day}일에서 ${later}일이 지나면 ${month + 1}월 ${ask(random, '며칠')}${hint}`,
      ])
      return {
        question,
        steps: [
          step('더한 날', 'day sum', day, '+', later, UNITS.day),
          step(`${month + 1}월 날짜`, 'date', ref(0), '-', length, UNITS.day),
        ],
      }
    },
  },
  {
    id: 'date/weeks-days',
    steps: 2,
    draw(random) {
      const weeks = random.int(2, 20)
      const days = random.int(1, 6)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${weeks}주 ${days}일 동안 여행했습니다. 여행한 날은 모두 ${ask(random, '며칠')}`,
        `방학이 ${weeks}주하고 ${days}일 남았습니다. 남은 방학은 모두 ${ask(random, '며칠')}`,
      ])
      return {
        question,
        steps: [
          step('주를 바꾼 날', 'week total', weeks, '×', 7, UNITS.day),
          step('전체 날', 'total', ref(0), '+', days, UNITS.day),
        ],
      }
    },
  },
  {
    id: 'date/daily-count',
    steps: 3,
    draw(random) {
      const from = random.int(1, 20)
      const to = from + random.int(2, 8)
      const perDay = random.int(3, 25)
      const habit = random.pick(HABITS)
      const name = random.pick(NAMES)
      const unit = { ko: habit.unit, en: COUNTED[habit.unit]! }
      const question = random.pick([
        `${josa(name, '은/는')} ${from}일부터 ${to}일까지 매일 ${josa(habit.ko, '을/를')} ${perDay}${habit.unit}씩 ${habit.verb}. 모두 ${ask(random, `몇 ${habit.unit}`)}`,
        `${josa(name, '이/가')} 하루에 ${josa(habit.ko, '을/를')} ${perDay}${habit.unit}씩 ${from}일부터 ${to}일까지 ${habit.verb}. 모두 ${ask(random, `몇 ${habit.unit}`)}`,
      ])
      return {
        question,
        steps: [
          step('날짜의 차이', 'day difference', to, '-', from, UNITS.day),
          step('전체 날', 'day count', ref(0), '+', 1, UNITS.day),
          step('전체 양', 'total', ref(1), '×', perDay, unit),
        ],
      }
    },
  },
  {
    id: 'date/weeks-later',
    steps: 2,
    draw(random) {
      const weeks = random.int(2, 12)
      const days = random.int(8, 40)
      const event = random.pick(['시험', '방학', '소풍', '발표회', '운동회'])
      const name = random.pick(NAMES)
      const question = random.pick([
        `${event}까지 ${weeks}주 남았는데 ${days}일 더 미뤄졌습니다. 이제 ${event}까지 ${ask(random, '며칠')}`,
        `${josa(name, '은/는')} ${weeks}주 동안 준비하고 ${days}일을 더 준비했습니다. 준비한 날은 모두 ${ask(random, '며칠')}`,
      ])
      return {
        question,
        steps: [
          step('주를 바꾼 날', 'week total', weeks, '×', 7, UNITS.day),
          step('전체 날', 'total', ref(0), '+', days, UNITS.day),
        ],
      }
    },
  },
  {
    id: 'date/finish-day',
    steps: 3,
    draw(random) {
      const perDay = random.int(4, 20)
      const days = random.int(3, 9)
      const start = random.int(2, 20)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${perDay * days}쪽짜리 책을 ${start}일부터 하루에 ${perDay}쪽씩 읽습니다. 다 읽는 날은 ${ask(random, '며칠')}`,
        `문제 ${perDay * days}개를 ${start}일부터 매일 ${perDay}개씩 풀면 다 푸는 날은 ${ask(random, '며칠')}`,
      ])
      return {
        question,
        steps: [
          step('걸리는 날', 'time needed', perDay * days, '÷', perDay, UNITS.day),
          step('더한 날', 'day sum', start, '+', ref(0), UNITS.day),
          step('마지막 날', 'last day', ref(1), '-', 1, UNITS.day),
        ],
      }
    },
  },
  {
    id: 'date/until',
    steps: 1,
    draw(random) {
      const month = random.int(1, 12)
      const from = random.int(1, 20)
      const to = random.int(from + 2, 28)
      const event = random.pick(['생일', '소풍', '시험', '여행', '운동회'])
      const question = random.pick([
        `오늘은 ${month}월 ${from}일이고 ${josa(event, '은/는')} ${month}월 ${to}일입니다. ${josa(event, '은/는')} ${ask(random, '며칠 뒤')}`,
        `오늘이 ${month}월 ${from}일이면 ${month}월 ${to}일까지는 며칠이 ${random.pick(['남았습니까?', '남았을까요?'])}`,
      ])
      return { question, steps: [step('남은 날', 'time left', to, '-', from, UNITS.day)] }
    },
  },
  {
    id: 'date/months',
    steps: 3,
    draw(random) {
      const years = random.int(1, 8)
      const months = random.int(1, 11)
      const past = random.int(2, Math.min(30, years * 12 + months - 2))
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${years}년 ${months}개월 동안 적금을 듭니다. ${past}개월이 지났다면 남은 기간은 ${ask(random, '몇 개월')}`,
        `공사 기간은 ${years}년 ${months}개월입니다. 지금까지 ${past}개월이 지났다면 ${ask(random, '몇 개월이 남은 것')}`,
      ])
      return {
        question,
        steps: [
          step('해를 바꾼 달', 'year total', years, '×', 12, UNITS.month),
          step('전체 기간', 'total', ref(0), '+', months, UNITS.month),
          step('남은 기간', 'time left', ref(1), '-', past, UNITS.month),
        ],
      }
    },
  },
  {
    id: 'date/days-hours',
    steps: 4,
    draw(random) {
      const [days, hours] = [random.int(1, 4), random.int(1, 9)]
      const [rest, minus] = [random.int(2, 9), random.int(1, 3)]
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${days}일 ${hours}시간 동안 여행하면서 하루에 ${rest}시간씩 ${minus}일 쉬었습니다. 쉬지 않은 시간은 ${ask(random, '몇 시간')}`,
        `기차 여행이 ${days}일 ${hours}시간 걸렸습니다. ${josa(name, '이/가')} 하루 ${rest}시간씩 ${minus}일 동안 잤다면 깨어 있던 시간은 ${ask(random, '몇 시간')}`,
      ])
      if (minus > days) return this.draw(random)
      return {
        question,
        steps: [
          step('날을 바꾼 시간', 'day total', days, '×', 24, UNITS.hour),
          step('전체 시간', 'total', ref(0), '+', hours, UNITS.hour),
          step('쉰 시간', 'rest time', rest, '×', minus, UNITS.hour),
          step('남은 시간', 'time left', ref(1), '-', ref(2), UNITS.hour),
        ],
      }
    },
  },
]
