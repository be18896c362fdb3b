/** Shopping and saving: sums of money in digits and with 만 and 천. */
import { ask, josa, won } from '../korean.ts'
import { GOODS, NAMES } from '../lexicon.ts'
import type { Random } from '../random.ts'
import { ref, step, type Template, UNITS } from '../template.ts'

const price = (random: Random): number => 500 * random.int(1, 12)

/** The smallest of the usual ways to pay that covers `cost`, sometimes a larger one. */
function payment(random: Random, cost: number): number {
  const options = [10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000].filter(
    amount => amount > cost,
  )
  return random.pick(options.slice(0, 2))
}

export const SHOPPING: readonly Template[] = [
  {
    id: 'shopping/cost',
    steps: 1,
    draw(random) {
      const item = random.pick(GOODS)
      const counter = item.unit.ko
      const each = price(random)
      const count = random.int(2, 9)
      const question = random.pick([
        `${josa(item.ko, '은/는')} 한 ${counter}에 ${won(random, each)}입니다. ${count}${josa(counter, '을/를')} 사면 ${ask(random, '얼마')}`,
        `${josa(random.pick(NAMES), '은/는')} ${won(random, each)}짜리 ${josa(item.ko, '을/를')} ${count}${counter} 샀습니다. 모두 ${ask(random, '얼마')}`,
      ])
      return {
        question,
        steps: [step(`${item.ko} 값`, `${item.en} cost`, count, '×', each, UNITS.won)],
      }
    },
  },
  {
    id: 'shopping/change',
    steps: 2,
    draw(random) {
      const item = random.pick(GOODS)
      const counter = item.unit.ko
      const each = price(random)
      const count = random.int(2, 9)
      const paid = payment(random, each * count)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${won(random, each)}짜리 ${josa(item.ko, '을/를')} ${count}${counter} 사고 ${josa(won(random, paid), '을/를')} 냈습니다. 거스름돈은 ${ask(random, '얼마')}`,
        `${josa(name, '이/가')} ${josa(won(random, paid), '을/를')} 가지고 한 ${counter}에 ${won(random, each)}인 ${josa(item.ko, '을/를')} ${count}${counter} 샀습니다. 남은 돈은 ${ask(random, '얼마')}`,
      ])
      return {
        question,
        steps: [
          step(`${item.ko} 값`, `${item.en} cost`, count, '×', each, UNITS.won),
          step('남은 돈', 'change', paid, '-', ref(0), UNITS.won),
        ],
      }
    },
  },
  {
    id: 'shopping/two-items',
    steps: 3,
    draw(random) {
      const [first, second] = random.pair(GOODS)
      const [p, q] = [price(random), price(random)]
      const [m, n] = [random.int(2, 6), random.int(2, 6)]
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${won(random, p)}짜리 ${first.ko} ${m}${josa(first.unit.ko, '과/와')} ${won(random, q)}짜리 ${second.ko} ${n}${josa(second.unit.ko, '을/를')} 샀습니다. 모두 ${ask(random, '얼마')}`,
        `${first.ko} 한 ${josa(first.unit.ko, '은/는')} ${won(random, p)}, ${second.ko} 한 ${josa(second.unit.ko, '은/는')} ${won(random, q)}입니다. ${first.ko} ${m}${josa(first.unit.ko, '과/와')} ${second.ko} ${n}${josa(second.unit.ko, '을/를')} 사면 ${ask(random, '얼마')}`,
      ])
      return {
        question,
        steps: [
          step(`${first.ko} 값`, `${first.en} cost`, m, '×', p, UNITS.won),
          step(`${second.ko} 값`, `${second.en} cost`, n, '×', q, UNITS.won),
          step('전체 값', 'total', ref(0), '+', ref(1), UNITS.won),
        ],
      }
    },
  },
  {
    id: 'shopping/two-items-change',
    steps: 4,
    draw(random) {
      const [first, second] = random.pair(GOODS)
      const [p, q] = [500 * random.int(1, 8), 500 * random.int(1, 8)]
      const [m, n] = [random.int(2, 5), random.int(2, 5)]
      const paid = payment(random, p * m + q * n)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${won(random, p)}짜리 ${first.ko} ${m}${josa(first.unit.ko, '과/와')} ${won(random, q)}짜리 ${second.ko} ${n}${josa(second.unit.ko, '을/를')} 사고 ${josa(won(random, paid), '을/를')} 냈습니다. 거스름돈은 ${ask(random, '얼마')}`,
        `${josa(name, '이/가')} ${won(random, paid)}으로 ${won(random, p)}짜리 ${first.ko} ${m}${josa(first.unit.ko, '과/와')} ${won(random, q)}짜리 ${second.ko} ${n}${josa(second.unit.ko, '을/를')} 샀습니다. 남은 돈은 ${ask(random, '얼마')}`,
      ])
      return {
        question,
        steps: [
          step(`${first.ko} 값`, `${first.en} cost`, m, '×', p, UNITS.won),
          step(`${second.ko} 값`, `${second.en} cost`, n, '×', q, UNITS.won),
          step('전체 값', 'total', ref(0), '+', ref(1), UNITS.won),
          step('남은 돈', 'change', paid, '-', ref(2), UNITS.won),
        ],
      }
    },
  },
  {
    id: 'shopping/discount',
    steps: 2,
    draw(random) {
      const item = random.pick(GOODS)
      const counter = item.unit.ko
      const each = 500 * random.int(3, 16)
      const off = 500 * random.int(1, Math.min(4, each / 500 - 1))
      const count = random.int(2, 8)
      const question = random.pick([
        `한 ${counter}에 ${won(random, each)}인 ${josa(item.ko, '을/를')} ${won(random, off)}씩 싸게 팝니다. ${count}${josa(counter, '을/를')} 사면 ${ask(random, '얼마')}`,
        `${josa(random.pick(NAMES), '은/는')} ${won(random, each)}짜리 ${josa(item.ko, '을/를')} ${won(random, off)}씩 할인받아 ${count}${counter} 샀습니다. 낸 돈은 ${ask(random, '얼마')}`,
      ])
      return {
        question,
        steps: [
          step('할인한 값', 'sale price', each, '-', off, UNITS.won),
          step(`${item.ko} 값`, `${item.en} cost`, count, '×', ref(0), UNITS.won),
        ],
      }
    },
  },
  {
    id: 'shopping/how-many',
    steps: 2,
    draw(random) {
      const item = random.pick(GOODS)
      const counter = item.unit.ko
      const each = 1000 * random.int(2, 9)
      const count = random.int(2, 9)
      const spent = 1000 * random.int(1, 9)
      const money = each * count + spent
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${won(random, money)}에서 ${josa(won(random, spent), '을/를')} 쓰고 남은 돈으로 ${won(random, each)}짜리 ${josa(item.ko, '을/를')} 샀습니다. 산 ${josa(item.ko, '은/는')} ${ask(random, `몇 ${counter}`)}`,
        `${josa(name, '이/가')} ${won(random, money)} 중 ${josa(won(random, spent), '을/를')} 버스비로 냈습니다. 남은 돈으로 ${won(random, each)}짜리 ${josa(item.ko, '을/를')} 사면 ${ask(random, `몇 ${counter}`)}`,
      ])
      return {
        question,
        steps: [
          step('남은 돈', 'money left', money, '-', spent, UNITS.won),
          step(`${item.ko} 수`, `${item.en} count`, ref(0), '÷', each, item.unit),
        ],
      }
    },
  },
  {
    id: 'shopping/saving',
    steps: 3,
    draw(random) {
      const weekly = 1000 * random.int(1, 9)
      const weeks = random.int(2, 9)
      const had = 10_000 * random.int(1, 6)
      const saved = weekly * weeks + had
      const item = random.pick(['가방', '신발', '책', '모자', '공', '옷'])
      const cost = 1000 * random.int(5, saved / 1000 - 1)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${josa(won(random, had), '을/를')} 가지고 있습니다. 매주 ${won(random, weekly)}씩 ${weeks}주 동안 모아 ${won(random, cost)}짜리 ${josa(item, '을/를')} 사면 남는 돈은 ${ask(random, '얼마')}`,
        `저금통에 ${josa(won(random, had), '이/가')} 있습니다. ${josa(name, '이/가')} ${weeks}주 동안 매주 ${won(random, weekly)}씩 넣은 뒤 ${won(random, cost)}짜리 ${josa(item, '을/를')} 샀습니다. 남은 돈은 ${ask(random, '얼마')}`,
      ])
      return {
        question,
        steps: [
          step('모은 돈', 'saved money', weeks, '×', weekly, UNITS.won),
          step('전체 돈', 'total', had, '+', ref(0), UNITS.won),
          step('남은 돈', 'money left', ref(1), '-', cost, UNITS.won),
        ],
      }
    },
  },
  {
    id: 'shopping/notes',
    steps: 3,
    draw(random) {
      const man = random.int(1, 9)
      const cheon = random.int(2, 18)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} 만원짜리 ${man}장과 천원짜리 ${cheon}장을 가지고 있습니다. 모두 ${ask(random, '얼마')}`,
        `지갑에 만원짜리가 ${man}장, 천원짜리가 ${cheon}장 있습니다. 지갑의 돈은 ${ask(random, '얼마')}`,
      ])
      return {
        question,
        steps: [
          step('만원짜리 돈', 'large note sum', man, '×', 10_000, UNITS.won),
          step('천원짜리 돈', 'small note sum', cheon, '×', 1000, UNITS.won),
          step('전체 돈', 'total', ref(0), '+', ref(1), UNITS.won),
        ],
      }
    },
  },
]
