/** Ages now, later and compared. */
import { ask, josa } from '../korean.ts'
import { ELDERS, NAMES, PARENTS } from '../lexicon.ts'
import { ref, step, type Template, UNITS } from '../template.ts'

export const AGE: readonly Template[] = [
  {
    id: 'age/later',
    steps: 1,
    draw(random) {
      const age = random.int(6, 49)
      const years = random.int(2, 30)
      const name = random.pick(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} 올해 ${age}살입니다. ${years}년 뒤에는 ${ask(random, '몇 살')}`,
        `올해 ${age}살인 ${josa(name, '은/는')} ${years}년 뒤 ${random.pick(['몇 살이 됩니까?', '몇 살이 될까요?'])}`,
      ])
      return { question, steps: [step('나이', 'age', age, '+', years, UNITS.year)] }
    },
  },
  {
    id: 'age/elder-later',
    steps: 2,
    draw(random) {
      const age = random.int(6, 19)
      const older = random.int(2, 25)
      const years = random.int(2, 20)
      const name = random.pick(NAMES)
      const elder = random.pick(ELDERS)
      const question = random.pick([
        `${josa(name, '은/는')} ${age}살이고 ${josa(elder.ko, '은/는')} ${name}보다 ${older}살 많습니다. ${years}년 뒤 ${josa(elder.ko, '은/는')} ${ask(random, '몇 살')}`,
        `${age}살인 ${name}에게는 ${older}살 많은 ${josa(elder.ko, '이/가')} 있습니다. ${years}년 뒤 ${elder.ko}의 나이는 ${ask(random, '몇 살')}`,
      ])
      return {
        question,
        steps: [
          step(`${elder.ko} 나이`, `${elder.en} age`, age, '+', older, UNITS.year),
          step(`${years}년 뒤 나이`, 'later age', ref(0), '+', years, UNITS.year),
        ],
      }
    },
  },
  {
    id: 'age/parent-times',
    steps: 2,
    draw(random) {
      const times = random.int(2, 5)
      const age = random.int(6, Math.min(15, Math.floor(55 / times)))
      const more = random.int(1, 9)
      const older = random.chance(0.5)
      const name = random.pick(NAMES)
      const parent = random.pick(PARENTS)
      const compare = older ? '많습니다' : '적습니다'
      const question = random.pick([
        `${josa(name, '은/는')} ${age}살입니다. ${josa(parent.ko, '은/는')} ${name} 나이의 ${times}배보다 ${more}살 ${compare}. ${josa(parent.ko, '은/는')} ${ask(random, '몇 살')}`,
        `${parent.ko}의 나이는 ${age}살인 ${name}의 ${times}배보다 ${more}살 ${compare}. ${parent.ko}의 나이는 ${ask(random, '몇 살')}`,
      ])
      return {
        question,
        steps: [
          step(`${times}배`, 'multiple', age, '×', times, UNITS.year),
          step(
            `${parent.ko} 나이`,
            `${parent.en} age`,
            ref(0),
            older ? '+' : '-',
            more,
            UNITS.year,
          ),
        ],
      }
    },
  },
  {
    id: 'age/pair-sum',
    steps: 2,
    draw(random) {
      const age = random.int(6, 40)
      const gap = random.int(2, 19)
      const older = random.chance(0.5) || gap > age - 4
      const [name, friend] = random.pair(NAMES)
      const compare = older ? '많습니다' : '적습니다'
      const question = random.pick([
        `${josa(name, '은/는')} ${age}살이고 ${josa(friend, '은/는')} ${name}보다 ${gap}살 ${compare}. 두 사람 나이의 합은 ${ask(random, '몇 살')}`,
        `${josa(name, '이/가')} ${age}살일 때 ${josa(friend, '은/는')} ${gap}살 더 ${compare}. 둘의 나이를 더하면 ${ask(random, '몇 살')}`,
      ])
      return {
        question,
        steps: [
          step(`${friend} 나이`, 'friend age', age, older ? '+' : '-', gap, UNITS.year),
          step('나이의 합', 'sum', age, '+', ref(0), UNITS.year),
        ],
      }
    },
  },
  {
    id: 'age/sum-later',
    steps: 3,
    draw(random) {
      const age = random.int(6, 19)
      const parentAge = age + random.int(22, 35)
      const years = random.int(2, 19)
      const name = random.pick(NAMES)
      const parent = random.pick(PARENTS)
      const question = random.pick([
        `${josa(name, '은/는')} ${age}살, ${josa(parent.ko, '은/는')} ${parentAge}살입니다. ${years}년 뒤 두 사람 나이의 합은 ${ask(random, '몇 살')}`,
        `올해 ${josa(parent.ko, '은/는')} ${parentAge}살, ${josa(name, '은/는')} ${age}살입니다. ${years}년 뒤 둘의 나이를 더하면 ${ask(random, '몇 살')}`,
      ])
      return {
        question,
        steps: [
          step(`${name} 나이`, 'child age', age, '+', years, UNITS.year),
          step(`${parent.ko} 나이`, `${parent.en} age`, parentAge, '+', years, UNITS.year),
          step('나이의 합', 'sum', ref(0), '+', ref(1), UNITS.year),
        ],
      }
    },
  },
  {
    id: 'age/three-people',
    steps: 3,
    draw(random) {
      const age = random.int(8, 15)
      const older = random.int(2, 9)
      const times = random.int(2, 3)
      const less = random.int(1, 9)
      const name = random.pick(NAMES)
      const elder = random.pick(ELDERS.slice(0, 2))
      const parent = random.pick(PARENTS)
      const question = random.pick([
        `${josa(name, '은/는')} ${age}살이고 ${josa(elder.ko, '은/는')} ${older}살 더 많습니다. ${parent.ko}의 나이는 ${elder.ko}의 ${times}배보다 ${less}살 적습니다. ${josa(parent.ko, '은/는')} ${ask(random, '몇 살')}`,
        `${josa(elder.ko, '은/는')} ${age}살인 ${name}보다 ${older}살 많습니다. ${josa(parent.ko, '은/는')} ${elder.ko} 나이의 ${times}배보다 ${less}살 적습니다. ${parent.ko}의 나이는 ${ask(random, '몇 살')}`,
      ])
      return {
        question,
        steps: [
          step(`${elder.ko} 나이`, `${elder.en} age`, age, '+', older, UNITS.year),
          step(`${times}배`, 'multiple', ref(0), '×', times, UNITS.year),
          step(`${parent.ko} 나이`, `${parent.en} age`, ref(1), '-', less, UNITS.year),
        ],
      }
    },
  },
  {
    id: 'age/years-ago',
    steps: 2,
    draw(random) {
      const gap = random.int(2, 30)
      const age = random.int(gap + 8, gap + 30)
      const years = random.int(2, 7)
      const [name, friend] = random.pair(NAMES)
      const question = random.pick([
        `${josa(name, '은/는')} 올해 ${age}살이고 ${josa(friend, '은/는')} ${gap}살 더 적습니다. ${years}년 전 ${josa(friend, '은/는')} 몇 살이었습니까?`,
        `${josa(friend, '은/는')} ${age}살인 ${name}보다 ${gap}살 적습니다. ${years}년 전 ${friend}의 나이는 몇 살이었습니까?`,
      ])
      return {
        question,
        steps: [
          step(`${friend} 나이`, 'friend age', age, '-', gap, UNITS.year),
          step(`${years}년 전 나이`, 'earlier age', ref(0), '-', years, UNITS.year),
        ],
      }
    },
  },
]
