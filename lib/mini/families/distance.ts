/** Distances, speeds and journey times. */
import { ask, josa } from '../korean.ts'
import { NAMES, PLACES, VEHICLES } from '../lexicon.ts'
import { ref, step, type Template, UNITS } from '../template.ts'

export const DISTANCE: readonly Template[] = [
  {
    id: 'distance/speed',
    steps: 1,
    draw(random) {
      const speed = 5 * random.int(4, 20)
      const hours = random.int(2, 9)
      const vehicle = random.pick(VEHICLES)
      const question = random.pick([
        `${josa(vehicle, '이/가')} 시속 ${speed}km로 ${hours}시간 달렸습니다. 간 거리는 ${ask(random, '몇 km')}`,
        `한 시간에 ${speed}km를 가는 ${josa(vehicle, '은/는')} ${hours}시간 동안 ${random.pick(['몇 km를 갑니까?', '몇 km를 갈까요?'])}`,
      ])
      return { question, steps: [step('간 거리', 'distance', speed, '×', hours, UNITS.km)] }
    },
  },
  {
    id: 'distance/remaining',
    steps: 2,
    draw(random) {
      const speed = 10 * random.int(2, 10)
      const hours = random.int(2, 6)
      const total = speed * hours + 10 * random.int(1, 20)
      const vehicle = random.pick(VEHICLES)
      const place = random.pick(PLACES)
      const question = random.pick([
        `${place}까지 ${total}km입니다. ${josa(vehicle, '이/가')} 시속 ${speed}km로 ${hours}시간 갔다면 남은 거리는 ${ask(random, '몇 km')}`,
        `${josa(vehicle, '이/가')} ${total}km 떨어진 ${place}에 갑니다. 한 시간에 ${speed}km씩 ${hours}시간 달리면 남는 거리는 ${ask(random, '몇 km')}`,
      ])
      return {
        question,
        steps: [
          step('간 거리', 'distance', speed, '×', hours, UNITS.km),
          step('남은 거리', 'distance left', total, '-', ref(0), UNITS.km),
        ],
      }
    },
  },
  {
    id: 'distance/laps',
    steps: 2,
    draw(random) {
      const lap = 50 * random.int(2, 16)
      const laps = random.int(2, 9)
      const extra = 50 * random.int(1, 12)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} 한 바퀴가 ${lap}m인 운동장을 ${laps}바퀴 돌고 ${extra}m를 더 걸었습니다. 모두 ${ask(random, '몇 m')}`,
        `${josa(name, '이/가')} ${lap}m 트랙을 ${laps}바퀴 뛰고 ${extra}m를 더 뛰었습니다. 뛴 거리는 ${ask(random, '몇 m')}`,
      ])
      return {
        question,
        steps: [
          step('운동장 거리', 'lap distance', laps, '×', lap, UNITS.metre),
          step('전체 거리', 'total', ref(0), '+', extra, UNITS.metre),
        ],
      }
    },
  },
  {
    id: 'distance/two-legs',
    steps: 3,
    draw(random) {
      const [first, second] = [10 * random.int(2, 10), 10 * random.int(2, 10)]
      const [m, n] = [random.int(2, 6), random.int(2, 6)]
      const vehicle = random.pick(VEHICLES)
      const question = random.pick([
        `${josa(vehicle, '이/가')} 시속 ${first}km로 ${m}시간, 시속 ${second}km로 ${n}시간 달렸습니다. 모두 ${ask(random, '몇 km')}`,
        `${josa(random.pick(NAMES), '은/는')} 한 시간에 ${first}km씩 ${m}시간 가고, 다시 한 시간에 ${second}km씩 ${n}시간 갔습니다. 간 거리는 ${ask(random, '몇 km')}`,
      ])
      return {
        question,
        steps: [
          step('첫 구간 거리', 'first leg', first, '×', m, UNITS.km),
          step('둘째 구간 거리', 'second leg', second, '×', n, UNITS.km),
          step('전체 거리', 'total', ref(0), '+', ref(1), UNITS.km),
        ],
      }
    },
  },
  {
    id: 'distance/walked',
    steps: 3,
    draw(random) {
      const km = random.int(1, 5)
      const metres = 50 * random.int(1, 18)
      const walked = 50 * random.int(2, (km * 1000 + metres) / 50 - 1)
      const place = random.pick(PLACES)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${place}까지 ${km}km ${metres}m입니다. ${josa(name, '이/가')} ${walked}m를 걸었다면 남은 거리는 ${ask(random, '몇 m')}`,
        `${josa(name, '은/는')} ${km}km ${metres}m 떨어진 ${place}에 갑니다. 지금까지 ${walked}m 갔다면 앞으로 ${random.pick(['몇 m를 더 가야 합니까?', '몇 m를 더 가야 할까요?'])}`,
      ])
      return {
        question,
        steps: [
          step('미터로 바꾼 거리', 'distance in meters', km, '×', 1000, UNITS.metre),
          step('전체 거리', 'total', ref(0), '+', metres, UNITS.metre),
          step('남은 거리', 'distance left', ref(1), '-', walked, UNITS.metre),
        ],
      }
    },
  },
  {
    id: 'distance/journey-time',
    steps: 2,
    draw(random) {
      const speed = 10 * random.int(2, 10)
      const hours = random.int(2, 9)
      const rest = random.int(1, 5)
      const vehicle = random.pick(VEHICLES)
      const question = random.pick([
        `${josa(vehicle, '이/가')} 시속 ${speed}km로 ${speed * hours}km를 가면서 ${rest}시간 쉬었습니다. 걸린 시간은 모두 ${ask(random, '몇 시간')}`,
        `${speed * hours}km 떨어진 ${random.pick(PLACES)}까지 한 시간에 ${speed}km씩 갑니다. 가는 길에 ${rest}시간 쉬면 모두 ${ask(random, '몇 시간')}`,
      ])
      return {
        question,
        steps: [
          step('가는 시간', 'driving time', speed * hours, '÷', speed, UNITS.hour),
          step('전체 시간', 'total', ref(0), '+', rest, UNITS.hour),
        ],
      }
    },
  },
  {
    id: 'distance/round-trips',
    steps: 2,
    draw(random) {
      const oneWay = random.int(2, 45)
      const days = random.int(2, 9)
      const place = random.pick(PLACES)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${name}의 집에서 ${place}까지 ${oneWay}km입니다. ${days}일 동안 매일 한 번씩 갔다 오면 모두 ${ask(random, '몇 km')}`,
        `${josa(name, '은/는')} ${oneWay}km 떨어진 ${josa(place, '을/를')} 하루에 한 번 왕복합니다. ${days}일 동안 간 거리는 ${ask(random, '몇 km')}`,
      ])
      return {
        question,
        steps: [
          step('왕복 거리', 'round trip', oneWay, '×', 2, UNITS.km),
          step('전체 거리', 'total', ref(0), '×', days, UNITS.km),
        ],
      }
    },
  },
  {
    id: 'distance/walk-pace',
    steps: 4,
    draw(random) {
      const [slow, fast] = [10 * random.int(3, 7), 10 * random.int(8, 15)]
      const [m, n] = [random.int(2, 9), random.int(2, 9)]
      const total = slow * m + fast * n + 10 * random.int(5, 60)
      const place = random.pick(PLACES)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${place}까지 ${total}m입니다. ${josa(name, '이/가')} 1분에 ${slow}m씩 ${m}분 걷고 1분에 ${fast}m씩 ${n}분 뛰었습니다. 남은 거리는 ${ask(random, '몇 m')}`,
        `${josa(name, '은/는')} ${total}m 떨어진 ${place}에 갑니다. 분속 ${slow}m로 ${m}분, 분속 ${fast}m로 ${n}분 갔다면 남은 거리는 ${ask(random, '몇 m')}`,
      ])
      return {
        question,
        steps: [
          step('첫 구간 거리', 'first leg', slow, '×', m, UNITS.metre),
          step('둘째 구간 거리', 'second leg', fast, '×', n, UNITS.metre),
          step('간 거리', 'distance', ref(0), '+', ref(1), UNITS.metre),
          step('남은 거리', 'distance left', total, '-', ref(2), UNITS.metre),
        ],
      }
    },
  },
]
