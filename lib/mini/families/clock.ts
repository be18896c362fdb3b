/** Clock times and durations. */
import { ask, josa } from '../korean.ts'
import { NAMES, PLACES } from '../lexicon.ts'
import { ref, step, type Template, UNITS } from '../template.ts'

const TASKS: readonly string[] = ['숙제', '독서', '청소', '운동', '요리', '빨래']

export const CLOCK: readonly Template[] = [
  {
    id: 'clock/arrival',
    steps: 2,
    draw(random) {
      const hour = random.int(1, 11)
      const minute = random.int(15, 59)
      const duration = random.int(61 - minute, 58)
      const name = random.pick(NAMES)
      const place = random.pick(PLACES)
      const question = random.pick([
        `${josa(name, '은/는')} ${hour}시 ${minute}분에 출발해 ${duration}분 걸려 ${place}에 도착했습니다. 도착한 시각은 ${hour + 1}시 ${ask(random, '몇 분')}`,
        `${hour}시 ${minute}분에 시작한 ${josa(random.pick(['영화', '수업', '경기']), '이/가')} ${duration}분 뒤에 끝났습니다. 끝난 시각은 ${hour + 1}시 ${ask(random, '몇 분')}`,
      ])
      return {
        question,
        steps: [
          step('더한 분', 'minute sum', minute, '+', duration, UNITS.minute),
          step('넘친 분', 'minute hand', ref(0), '-', 60, UNITS.minute),
        ],
      }
    },
  },
  {
    id: 'clock/to-minutes',
    steps: 2,
    draw(random) {
      const hours = random.int(1, 9)
      const minutes = random.int(2, 58)
      const name = random.pick(NAMES)
      const task = random.pick(TASKS)
      const question = random.pick([
        `${josa(name, '은/는')} ${josa(task, '을/를')} ${hours}시간 ${minutes}분 동안 했습니다. 모두 ${ask(random, '몇 분')}`,
        `${task}에 ${hours}시간 ${minutes}분이 걸렸습니다. 걸린 시간은 ${ask(random, '몇 분')}`,
      ])
      return {
        question,
        steps: [
          step('시간을 바꾼 분', 'hour total', hours, '×', 60, UNITS.minute),
          step('전체 시간', 'total', ref(0), '+', minutes, UNITS.minute),
        ],
      }
    },
  },
  {
    id: 'clock/between',
    steps: 4,
    draw(random) {
      const start = random.int(1, 8)
      const end = start + random.int(1, 4)
      const [from, to] = [5 * random.int(1, 11), 5 * random.int(1, 11)]
      if (end - start === 1 && to <= from - 50) return this.draw(random)
      const name = random.pick(NAMES)
      const task = random.pick(TASKS)
      const question = random.pick([
        `${josa(name, '은/는')} ${start}시 ${from}분부터 ${end}시 ${to}분까지 ${josa(task, '을/를')} 했습니다. 걸린 시간은 ${ask(random, '몇 분')}`,
        `${josa(name, '이/가')} ${josa(task, '을/를')} ${start}시 ${from}분에 시작해 ${end}시 ${to}분에 마쳤습니다. 모두 ${ask(random, '몇 분')}`,
      ])
      return {
        question,
        steps: [
          step('시의 차이', 'hour difference', end, '-', start, UNITS.hour),
          step('시간을 바꾼 분', 'hour total', ref(0), '×', 60, UNITS.minute),
          step('더한 분', 'minute sum', ref(1), '+', to, UNITS.minute),
          step('걸린 시간', 'duration', ref(2), '-', from, UNITS.minute),
        ],
      }
    },
  },
  {
    id: 'clock/afternoon',
    steps: 2,
    draw(random) {
      const start = random.int(6, 11)
      const first = random.int(1, 6)
      const hours = random.int(Math.max(1, 13 - start - first), 23 - start - first)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} 오전 ${start}시부터 ${first + hours}시간 동안 일했습니다. 일을 마친 시각은 오후 ${ask(random, '몇 시')}`,
        `오전 ${start}시에 떠난 배가 ${first + hours}시간 뒤 섬에 도착했습니다. 도착한 시각은 오후 ${ask(random, '몇 시')}`,
      ])
      return {
        question,
        steps: [
          step('더한 시각', 'sum', start, '+', first + hours, UNITS.clock),
          step('오후 시각', 'afternoon time', ref(0), '-', 12, UNITS.clock),
        ],
      }
    },
  },
  {
    id: 'clock/lessons',
    steps: 3,
    draw(random) {
      const lesson = 5 * random.int(5, 12)
      const rest = 5 * random.int(1, 4)
      const count = random.int(3, 7)
      const place = random.pick(['학교', '학원', '체육관'])
      const question = random.pick([
        `${place}에서 ${lesson}분 수업을 ${count}번 하고 ${rest}분씩 ${count - 1}번 쉬었습니다. 모두 ${ask(random, '몇 분')}`,
        `${josa(random.pick(NAMES), '은/는')} ${place}에서 ${lesson}분씩 ${count}번 공부하고 그 사이에 ${rest}분씩 ${count - 1}번 쉬었습니다. 걸린 시간은 ${ask(random, '몇 분')}`,
      ])
      return {
        question,
        steps: [
          step('수업 시간', 'lesson time', lesson, '×', count, UNITS.minute),
          step('쉬는 시간', 'break time', rest, '×', count - 1, UNITS.minute),
          step('전체 시간', 'total', ref(0), '+', ref(1), UNITS.minute),
        ],
      }
    },
  },
  {
    id: 'clock/same-hour',
    steps: 1,
    draw(random) {
      const hour = random.int(1, 12)
      const from = random.int(2, 40)
      const to = random.int(from + 5, 59)
      const name = random.pick(NAMES)
      const task = random.pick(TASKS)
      const question = random.pick([
        `${josa(name, '은/는')} ${hour}시 ${from}분부터 ${hour}시 ${to}분까지 ${josa(task, '을/를')} 했습니다. ${task} 시간은 ${ask(random, '몇 분')}`,
        `${hour}시 ${from}분에 떠난 버스가 ${hour}시 ${to}분에 도착했습니다. 걸린 시간은 ${ask(random, '몇 분')}`,
      ])
      return { question, steps: [step('걸린 시간', 'duration', to, '-', from, UNITS.minute)] }
    },
  },
  {
    id: 'clock/weekly',
    steps: 3,
    draw(random) {
      const weekday = 5 * random.int(2, 12)
      const weekend = 10 * random.int(2, 12)
      const days = random.int(2, 5)
      const task = random.pick(TASKS)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${josa(task, '을/를')} 평일에는 ${weekday}분씩 ${days}일, 주말에는 ${weekend}분씩 2일 했습니다. 모두 ${ask(random, '몇 분')}`,
        `${josa(name, '이/가')} ${days}일 동안 ${weekday}분씩, 주말 2일 동안 ${weekend}분씩 ${josa(task, '을/를')} 했습니다. ${task} 시간은 모두 ${ask(random, '몇 분')}`,
      ])
      return {
        question,
        steps: [
          step('평일 시간', 'weekday time', weekday, '×', days, UNITS.minute),
          step('주말 시간', 'weekend time', weekend, '×', 2, UNITS.minute),
          step('전체 시간', 'total', ref(0), '+', ref(1), UNITS.minute),
        ],
      }
    },
  },
  {
    id: 'clock/three-tasks',
    steps: 2,
    draw(random) {
      const [a, b, c] = [random.int(8, 55), random.int(8, 55), random.int(8, 55)]
      const [first, second] = random.pair(TASKS.slice(0, 3))
      const third = random.pick(TASKS.slice(3))
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${josa(first, '을/를')} ${a}분, ${josa(second, '을/를')} ${b}분, ${josa(third, '을/를')} ${c}분 했습니다. 모두 ${ask(random, '몇 분')}`,
        `${first}에 ${a}분, ${second}에 ${b}분, ${third}에 ${c}분이 걸렸습니다. 걸린 시간은 모두 ${ask(random, '몇 분')}`,
      ])
      return {
        question,
        steps: [
          step('두 가지 시간', 'sum of two', a, '+', b, UNITS.minute),
          step('전체 시간', 'total', ref(0), '+', c, UNITS.minute),
        ],
      }
    },
  },
]
