/** Sharing out, packing and giving away countable things. */
import { ask, josa } from '../korean.ts'
import { NAMES, TREATS } from '../lexicon.ts'
import { ref, step, type Template, type Unit } from '../template.ts'

const BOXES: readonly string[] = ['상자', '봉지', '바구니']
const ITEMS: Unit = { ko: '개', en: 'items' }
const each = ['한 명의 몫', 'share'] as const

/** "몇 개" and its like. */
const howMany = (unit: Unit): string => `몇 ${unit.ko}`

export const SHARING: readonly Template[] = [
  {
    id: 'sharing/divide',
    steps: 1,
    draw(random) {
      const item = random.pick(TREATS)
      const unit = item.unit
      const people = random.int(2, 9)
      const total = people * random.int(2, 12)
      const question = random.pick([
        `${item.ko} ${total}${josa(unit.ko, '을/를')} ${people}명이 똑같이 나누면 한 명당 ${ask(random, howMany(unit))}`,
        `${josa(item.ko, '이/가')} ${total}${unit.ko} 있습니다. 친구 ${people}명에게 똑같이 나누어 주면 한 명의 몫은 ${ask(random, howMany(unit))}`,
      ])
      return { question, steps: [step(...each, total, '÷', people, unit)] }
    },
  },
  {
    id: 'sharing/more-then-divide',
    steps: 2,
    draw(random) {
      const item = random.pick(TREATS)
      const unit = item.unit
      const people = random.int(2, 9)
      const total = people * random.int(3, 12)
      const had = random.int(2, total - 2)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${josa(item.ko, '이/가')} ${had}${unit.ko} 있었는데 ${total - had}${josa(unit.ko, '을/를')} 더 받았습니다. ${people}명이 똑같이 나누면 한 명당 ${ask(random, howMany(unit))}`,
        `${item.ko} ${had}${josa(unit.ko, '과/와')} ${total - had}${josa(unit.ko, '을/를')} 모아 ${people}명에게 똑같이 나누어 주면 한 명의 몫은 ${ask(random, howMany(unit))}`,
      ])
      return {
        question,
        steps: [
          step(`전체 ${item.ko}`, 'total', had, '+', total - had, unit),
          step(...each, ref(0), '÷', people, unit),
        ],
      }
    },
  },
  {
    id: 'sharing/boxes-divide',
    steps: 2,
    draw(random) {
      const item = random.pick(TREATS)
      const unit = item.unit
      const box = random.pick(BOXES)
      const people = random.int(2, 9)
      // Drawn until everything divides evenly; the people need not divide boxes or contents.
      const [boxes, inBox] = [random.int(2, 9), random.int(2, 12)]
      if ((boxes * inBox) % people !== 0) return this.draw(random)
      const question = random.pick([
        `${josa(item.ko, '이/가')} 한 ${box}에 ${inBox}${unit.ko}씩 ${boxes}${box} 있습니다. ${people}명이 똑같이 나누면 한 명당 ${ask(random, howMany(unit))}`,
        `${inBox}${unit.ko}씩 든 ${item.ko} ${boxes}${josa(box, '을/를')} ${people}명에게 똑같이 나누어 주면 한 명의 몫은 ${ask(random, howMany(unit))}`,
      ])
      return {
        question,
        steps: [
          step(`전체 ${item.ko}`, 'total', boxes, '×', inBox, unit),
          step(...each, ref(0), '÷', people, unit),
        ],
      }
    },
  },
  {
    id: 'sharing/left-over',
    steps: 2,
    draw(random) {
      const item = random.pick(TREATS)
      const unit = item.unit
      const people = random.int(2, 9)
      const share = random.int(2, 9)
      const total = people * share + random.int(1, 20)
      const box = random.pick(BOXES)
      const question = random.pick([
        `${item.ko} ${total}${josa(unit.ko, '을/를')} ${people}명에게 ${share}${unit.ko}씩 주었습니다. 남은 ${josa(item.ko, '은/는')} ${ask(random, howMany(unit))}`,
        `${josa(item.ko, '이/가')} ${total}${unit.ko} 있습니다. ${share}${unit.ko}씩 ${people}${box}에 담으면 남는 ${josa(item.ko, '은/는')} ${ask(random, howMany(unit))}`,
      ])
      return {
        question,
        steps: [
          step(`나눈 ${item.ko}`, 'shared count', people, '×', share, unit),
          step(`남은 ${item.ko}`, 'rest', total, '-', ref(0), unit),
        ],
      }
    },
  },
  {
    id: 'sharing/give-twice',
    steps: 2,
    draw(random) {
      const item = random.pick(TREATS)
      const unit = item.unit
      const [first, second] = [random.int(3, 30), random.int(3, 30)]
      const total = first + second + random.int(2, 39)
      const [name, friend] = random.pair(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} ${item.ko} ${total}${unit.ko} 중에서 ${first}${josa(unit.ko, '을/를')} 동생에게, ${second}${josa(unit.ko, '을/를')} ${friend}에게 주었습니다. 남은 ${josa(item.ko, '은/는')} ${ask(random, howMany(unit))}`,
        `${josa(item.ko, '이/가')} ${total}${unit.ko} 있습니다. ${josa(name, '이/가')} ${first}${unit.ko}, ${josa(friend, '이/가')} ${second}${josa(unit.ko, '을/를')} 가져가면 남는 ${josa(item.ko, '은/는')} ${ask(random, howMany(unit))}`,
      ])
      return {
        question,
        steps: [
          step('처음 주고 남은 수', 'first rest', total, '-', first, unit),
          step(`남은 ${item.ko}`, 'rest', ref(0), '-', second, unit),
        ],
      }
    },
  },
  {
    id: 'sharing/boxes-eat-divide',
    steps: 3,
    draw(random) {
      const item = random.pick(TREATS)
      const unit = item.unit
      const box = random.pick(BOXES)
      const people = random.int(2, 6)
      const [boxes, inBox] = [random.int(3, 9), random.int(4, 9)]
      const total = boxes * inBox
      const share = random.int(1, Math.floor((total - 1) / people))
      const used = total - share * people
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(item.ko, '이/가')} ${inBox}${unit.ko}씩 ${boxes}${box} 있습니다. ${josa(name, '이/가')} ${used}${josa(unit.ko, '을/를')} 쓰고 나머지를 ${people}명이 똑같이 나누면 한 명당 ${ask(random, howMany(unit))}`,
        `${josa(name, '은/는')} 한 ${box}에 ${inBox}${unit.ko}씩 든 ${item.ko} ${boxes}${box}에서 ${used}${josa(unit.ko, '을/를')} 빼고 ${people}명에게 똑같이 주었습니다. 한 명의 몫은 ${ask(random, howMany(unit))}`,
      ])
      return {
        question,
        steps: [
          step(`전체 ${item.ko}`, 'total', boxes, '×', inBox, unit),
          step(`남은 ${item.ko}`, 'rest', ref(0), '-', used, unit),
          step(...each, ref(1), '÷', people, unit),
        ],
      }
    },
  },
  {
    id: 'sharing/two-kinds',
    steps: 4,
    draw(random) {
      const [first, second] = random.pair(TREATS.filter(treat => treat.unit.ko === '개'))
      const people = random.int(2, 6)
      const [m, p, n] = [random.int(2, 6), random.int(2, 9), random.int(2, 6)]
      // The second kind is counted so that everything divides evenly.
      const q = [2, 3, 4, 5, 6, 7, 8, 9].filter(count => (m * p + n * count) % people === 0)
      if (q.length === 0) return this.draw(random)
      const count = random.pick(q)
      const box = random.pick(BOXES)
      const question = random.pick([
        `${josa(first.ko, '이/가')} ${p}개씩 ${m}${box}, ${josa(second.ko, '이/가')} ${count}개씩 ${n}${box} 있습니다. 합쳐서 ${people}명이 똑같이 나누면 한 명당 ${ask(random, '몇 개')}`,
        `${p}개씩 든 ${first.ko} ${m}${josa(box, '과/와')} ${count}개씩 든 ${second.ko} ${n}${josa(box, '을/를')} ${people}명에게 똑같이 나누어 주면 한 명의 몫은 ${ask(random, '몇 개')}`,
      ])
      return {
        question,
        steps: [
          step(`${first.ko} 수`, `${first.en} count`, m, '×', p, ITEMS),
          step(`${second.ko} 수`, `${second.en} count`, n, '×', count, ITEMS),
          step('전체 수', 'total', ref(0), '+', ref(1), ITEMS),
          step(...each, ref(2), '÷', people, ITEMS),
        ],
      }
    },
  },
]
