/**
 * People: years of birth by differences of age and shared animals (띠동갑), then Korean ages, school
 * years, animals. All birthdays are in May, so that no one is 빠른 (in school a year early).
 */
import { animalOf } from './calendar.ts'
import type { Family, Step } from './chain.ts'

const NAMES = ['민수', '지영', '서준', '하은', '도윤', '수아', '현우', '예린'] as const

export const people: Family = (random, level) => {
  let year = random.int(1965, 1995)
  const names: string[] = [...NAMES]
  const draw = (): string => names.splice(random.int(0, names.length - 1), 1)[0]!
  let name = draw()
  const facts = [`${name}의 출생 연도는 ${year}년이다.`]
  const steps: Step[] = []
  for (let i = 0; i < level - 1; i++) {
    const other = draw()
    const older = random.chance(0.5)
    const rounds = random.int(1, 2)
    const years = random.chance(0.4) ? 12 * rounds : random.int(1, 9)
    const side = older ? '많다' : '적다'
    facts.push(
      years % 12 === 0
        ? `${other}의 나이는 ${name}보다 ${years}살 ${side}(띠동갑).`
        : `${other}의 나이는 ${name}보다 ${years}살 ${side}.`,
    )
    year += older ? -years : years
    name = other
    steps.push({ does: `${other}의 출생 연도를 구한다.`, result: `${year}년` })
  }
  if (year < 1930 || year > 2015) return null
  const [asks, answer] = ending(random.int(0, 4), name, year, random.int(2016, 2035))
  steps.push({ does: `${name}에 대해 답한다.`, result: answer })
  const question = `모두 양력 5월에 태어났다. ${facts.join(' ')} ${asks}`
  return { family: 'people', question, answer, steps }
}

function ending(kind: number, name: string, year: number, now: number): [string, string] {
  if (kind === 0) return [`${now}년에 ${name}의 세는나이는 몇 살인가?`, `${now - year + 1}살`]
  if (kind === 1) return [`${now}년 12월에 ${name}의 만 나이는 몇 살인가?`, `${now - year}살`]
  if (kind === 2) return [`${name}의 띠는 무엇인가? ("용띠"처럼 답하라.)`, animalOf(year)]
  if (kind === 3) {
    return [
      `${name}의 초등학교(국민학교) 입학 연도는 몇 년인가? (만 여섯 살이 된 다음 해 3월에 입학한다. "2001년"처럼 답하라.)`,
      `${year + 7}년`,
    ]
  }
  return [
    `${name}의 고등학교 졸업 연도는 몇 년인가? (만 여섯 살이 된 다음 해 3월에 초등학교에 입학하고, 12년을 쉬지 않고 다녀 마지막 학년이 끝나는 2월에 졸업한다. "2001년"처럼 답하라.)`,
    `${year + 19}년`,
  ]
}
