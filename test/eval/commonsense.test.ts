/**
 * Generated commonsense against a second implementation that reads the question's text: a calendar from
 * astronomy (Meeus, Astronomical Algorithms, chapters 25 and 49), a family tree of people instead of a
 * table of titles, and its own arithmetic.
 */
import { describe, expect, test } from 'vitest'
import {
  animalOf,
  dayOf,
  lunarOf,
  solarOf,
  weekdayOf,
} from '../../lib/eval/commonsense/calendar.ts'
import {
  type CommonsenseQuestion,
  generateCommonsense,
  missedStep,
} from '../../lib/eval/commonsense/generate.ts'

/** New moon k since January 2000, in days since 1970 at Korean time (whole). */
function newMoon(k: number): number {
  const t = k / 1236.85
  const rad = Math.PI / 180
  const e = 1 - 0.002516 * t
  const m = (2.5534 + 29.1053567 * k) * rad
  const mm = (201.5643 + 385.81693528 * k + 0.0107582 * t * t) * rad
  const f = (160.7108 + 390.67050284 * k - 0.0016118 * t * t) * rad
  const omega = (124.7746 - 1.56375588 * k) * rad
  let jde = 2451550.09766 + 29.530588861 * k + 0.00015437 * t * t
  jde +=
    -0.4072 * Math.sin(mm) +
    0.17241 * e * Math.sin(m) +
    0.01608 * Math.sin(2 * mm) +
    0.01039 * Math.sin(2 * f) +
    0.00739 * e * Math.sin(mm - m) -
    0.00514 * e * Math.sin(mm + m) +
    0.00208 * e * e * Math.sin(2 * m) -
    0.00111 * Math.sin(mm - 2 * f) -
    0.00057 * Math.sin(mm + 2 * f) +
    0.00056 * e * Math.sin(2 * mm + m) -
    0.00042 * Math.sin(3 * mm) +
    0.00042 * e * Math.sin(m + 2 * f) +
    0.00038 * e * Math.sin(m - 2 * f) -
    0.00024 * e * Math.sin(2 * mm - m) -
    0.00017 * Math.sin(omega)
  // Dynamical time is about a minute ahead of universal time in these years.
  return Math.floor(jde - 2440587.5 - 65 / 86400 + 9 / 24)
}

/** Apparent longitude of the sun at the end of a Korean day, degrees. */
function sunAtEnd(day: number): number {
  const t = (day + 1 - 9 / 24 + 2440587.5 + 65 / 86400 - 2451545) / 36525
  const rad = Math.PI / 180
  const m = (357.52911 + 35999.05029 * t) * rad
  const c =
    (1.914602 - 0.004817 * t) * Math.sin(m) +
    (0.019993 - 0.000101 * t) * Math.sin(2 * m) +
    0.000289 * Math.sin(3 * m)
  const longitude =
    280.46646 + 36000.76983 * t + c - 0.00569 - 0.00478 * Math.sin((125.04 - 1934.136 * t) * rad)
  return ((longitude % 360) + 360) % 360
}

interface Month {
  start: number
  year: number
  month: number
  leap: boolean
}

/** The months between two winter solstices by the rule: month 11 holds the solstice, and of 13 months the first without a major term is leap. */
function monthsOf(year: number): Month[] {
  // From before the solstice of the year before to behind this one's.
  const k0 = Math.floor((year - 2000) * 12.3685) - 3
  const starts = Array.from({ length: 19 }, (_, i) => newMoon(k0 + i))
  const term = (i: number): number => Math.floor(sunAtEnd(starts[i]! - 1) / 30)
  const end = (i: number): number => Math.floor(sunAtEnd(starts[i + 1]! - 1) / 30)
  const [a, b] = starts.flatMap((_, i) =>
    i < 18 && term(i) > 5 && term(i) < 9 && end(i) > 8 ? [i] : [],
  ) as [number, number]
  const months: Month[] = []
  let [number, leapDone, lunarYear] = [11, b - a === 12, year - 1]
  for (let i = a; i < b; i++) {
    const leap = !leapDone && i > a && term(i) === end(i)
    if (leap) leapDone = true
    else if (i > a) {
      number = (number % 12) + 1
      if (number === 1) lunarYear = year
    }
    months.push({ start: starts[i]!, year: lunarYear, month: number, leap })
  }
  return months
}

const ALL = Array.from({ length: 90 }, (_, i) => 1955 + i).flatMap(monthsOf)
function lunarBy(day: number): Month & { day: number } {
  const month = ALL.findLast(m => m.start <= day)!
  return { ...month, day: day - month.start + 1 }
}

describe('the calendar', () => {
  test('is that of astronomy on every day from 1962 to 2040', () => {
    const different: string[] = []
    for (let day = dayOf(1962, 1, 1); day <= dayOf(2040, 12, 31); day++) {
      const { year, month, leap, day: date } = lunarBy(day)
      const found = lunarOf(day)
      if (JSON.stringify(found) !== JSON.stringify({ year, month, leap, day: date }))
        different.push(`${day} ${JSON.stringify(found)} ${year}-${month}-${date}${leap}`)
    }
    expect(different).toEqual([])
  })

  test.each([
    [
      [1, 1],
      '2000-02-05 2001-01-24 2002-02-12 2003-02-01 2004-01-22 2005-02-09 2006-01-29 2007-02-18 2008-02-07 2009-01-26 2010-02-14 2011-02-03 2012-01-23 2013-02-10 2014-01-31 2015-02-19 2016-02-08 2017-01-28 2018-02-16 2019-02-05 2020-01-25 2021-02-12 2022-02-01 2023-01-22 2024-02-10 2025-01-29 2026-02-17',
    ],
    [
      [8, 15],
      '2000-09-12 2001-10-01 2002-09-21 2003-09-11 2004-09-28 2005-09-18 2006-10-06 2007-09-25 2008-09-14 2009-10-03 2010-09-22 2011-09-12 2012-09-30 2013-09-19 2014-09-08 2015-09-27 2016-09-15 2017-10-04 2018-09-24 2019-09-13 2020-10-01 2021-09-21 2022-09-10 2023-09-29 2024-09-17 2025-10-06',
    ],
    [[1, 1], '1997-02-08 1988-02-18'],
  ])('public holidays as they were: %j', (date, dates) => {
    for (const text of dates.split(' ')) {
      const [y, m, d] = text.split('-').map(Number) as [number, number, number]
      expect([text, solarOf(y, date[0]!, date[1]!)]).toEqual([text, dayOf(y, m, d)])
    }
  })

  test('weekdays, leap months, animals', () => {
    expect(weekdayOf(dayOf(2024, 2, 10))).toBe(6)
    expect(lunarOf(dayOf(2023, 3, 22))).toEqual({ year: 2023, month: 2, leap: true, day: 1 })
    expect([animalOf(2024), animalOf(1988), animalOf(1959)]).toEqual(['용띠', '용띠', '돼지띠'])
  })
})

const pad = (n: number): string => String(n).padStart(2, '0')
const utc = (y: number, m: number, d: number): number =>
  Date.parse(`${y}-${pad(m)}-${pad(d)}T00:00:00Z`) / 864e5
const lunarToSolar = (y: number, m: number, d: number): number =>
  ALL.find(x => x.year === y && x.month === m && !x.leap)!.start + d - 1
const written = (day: number): string => {
  const [y, m, d] = new Date(day * 864e5).toISOString().slice(0, 10).split('-').map(Number)
  return `${y}년 ${m}월 ${d}일`
}
const HOLIDAY: Record<string, (y: number) => number> = {
  설날: y => lunarToSolar(y, 1, 1),
  정월대보름: y => lunarToSolar(y, 1, 15),
  부처님오신날: y => lunarToSolar(y, 4, 8),
  단오: y => lunarToSolar(y, 5, 5),
  칠석: y => lunarToSolar(y, 7, 7),
  추석: y => lunarToSolar(y, 8, 15),
  중양절: y => lunarToSolar(y, 9, 9),
  삼일절: y => utc(y, 3, 1),
  어린이날: y => utc(y, 5, 5),
  현충일: y => utc(y, 6, 6),
  광복절: y => utc(y, 8, 15),
  개천절: y => utc(y, 10, 3),
  한글날: y => utc(y, 10, 9),
  성탄절: y => utc(y, 12, 25),
}
const CYCLE = '원숭이 닭 개 돼지 쥐 소 호랑이 토끼 용 뱀 말 양'.split(' ')

function solveDates(question: string): string {
  const text = question.replace(/^다음 날을 생각하라: /, '')
  let day: number
  const lunar = /^음력 (\d+)년 (\d+)월 (\d+)일/.exec(text)
  const service = /^(\d+)년 (\d+)월 (\d+)일에 .*?에 입대해 (\d+)개월/.exec(text)
  const named = /^(\d+)년 ([가-힣]+)/.exec(text)
  if (lunar) day = lunarToSolar(Number(lunar[1]), Number(lunar[2]), Number(lunar[3]))
  else if (service) {
    const date = new Date(Date.UTC(Number(service[1]), Number(service[2]) - 1, Number(service[3])))
    date.setUTCMonth(date.getUTCMonth() + Number(service[4]))
    day = date.getTime() / 864e5 - 1
  } else day = HOLIDAY[named![2]!.replace(/[의은는]$/, '')]!(Number(named![1]))
  for (const [, n, unit, weekday] of text.matchAll(
    /의 (?:(\d+)(일 뒤|일 전|주 뒤)|바로 다음에 오는 (.)요일)/g,
  )) {
    if (weekday === undefined) day += Number(n) * (unit === '주 뒤' ? 7 : unit === '일 뒤' ? 1 : -1)
    else
      do day++
      while (
        ['일', '월', '화', '수', '목', '금', '토'][new Date(day * 864e5).getUTCDay()] !== weekday
      )
  }
  if (question.includes('양력으로 언제인가')) return written(day)
  if (question.includes('무슨 요일'))
    return new Intl.DateTimeFormat('ko', { weekday: 'long', timeZone: 'UTC' }).format(day * 864e5)
  const found = lunarBy(day)
  if (question.includes('띠')) return `${CYCLE[found.year % 12]}띠`
  return `음력 ${found.leap ? '윤' : ''}${found.month}월 ${found.day}일`
}

function solvePeople(question: string): string {
  const born = new Map<string, number>()
  for (const [, name, year] of question.matchAll(/(\S+?)의 출생 연도는 (\d+)년이다/g))
    born.set(name!, Number(year))
  for (const [, who, than, n, side] of question.matchAll(
    /(\S+)의 나이는 (\S+)보다 (\d+)살 (많다|적다)/g,
  ))
    born.set(who!, born.get(than!)! + (side === '많다' ? -1 : 1) * Number(n))
  const [, name, asked] = /(\S+)의 (세는나이|만 나이|띠는|초등학교|고등학교)/.exec(question)!
  const year = born.get(name!)!
  const now = Number(/(\d{4})년(?: 12월)?에/.exec(question)?.[1])
  if (asked === '세는나이') return `${now + 1 - year}살`
  if (asked === '만 나이') return `${now - year}살`
  if (asked === '띠는') return `${CYCLE[year % 12]}띠`
  // Six years old in May; the March after that is school; twelve school years end in February.
  const school = year + 6 + 1
  return asked === '고등학교' ? `${school + 12}년` : `${school}년`
}

const SIZE: Record<string, number> = {
  쾌: 20,
  두름: 20,
  축: 20,
  손: 2,
  톳: 100,
  접: 100,
  판: 30,
  쌈: 24,
  죽: 10,
}

function solveUnits(question: string): string {
  let count = 0
  const counter = /몇 (\S+)인가/.exec(question)![1]!
  for (const sentence of question.split('. ')) {
    const bundles = /(\d+)(쾌|두름|축|손|톳|접|판|쌈|죽)(?:[이가] |[을를] )(있다|더 샀다)/.exec(
      sentence,
    )
    const some = /^(\d+)\S+[을를] (썼다|더 얻었다)/.exec(sentence)
    const shared = /^(\d+)명이/.exec(sentence)
    if (bundles) count += Number(bundles[1]) * SIZE[bundles[2]!]!
    else if (shared) count /= Number(shared[1])
    else if (some) count += (some[2] === '썼다' ? -1 : 1) * Number(some[1])
  }
  return `${count}${counter}`
}

/** A tree of people: each knows parents, spouse, and for brothers and sisters who is older. */
interface Person {
  key: string
  male: boolean
  father?: Person
  mother?: Person
  spouse?: Person
  born: number
}
function solveKinship(question: string): string {
  const people: Person[] = []
  const person = (key: string, male: boolean, born: number, parents?: [Person, Person]): Person => {
    const made: Person = {
      key,
      male,
      born,
      ...(parents && { father: parents[0], mother: parents[1] }),
    }
    people.push(made)
    return made
  }
  const couple = (name: string, born: number, parents?: [Person, Person]): [Person, Person] => {
    const [a, b] = [
      person(`${name}할아버지`, true, born, parents),
      person(`${name}할머니`, false, born + 1),
    ]
    a.spouse = b
    b.spouse = a
    return [a, b]
  }
  const family = (side: string): Person[] => {
    const grand = couple(side, 30, couple(`${side}증조`, 0, couple(`${side}고조`, -30)))
    return [
      person(`${side}형`, true, 55, grand),
      person(`${side}누이위`, false, 56, grand),
      person(`${side}부모`, side === '', 60, grand),
      person(`${side}동생`, true, 64, grand),
      person(`${side}누이아래`, false, 65, grand),
    ]
  }
  const marry = (a: Person, title: string): void => {
    const spouse = person(title, !a.male, a.born)
    a.spouse = spouse
    spouse.spouse = a
  }
  const [uncle, aunt, father, younger, aunt2] = family('') as [
    Person,
    Person,
    Person,
    Person,
    Person,
  ]
  const [mUncle, mAunt, mother, mYounger, mAunt2] = family('외') as [
    Person,
    Person,
    Person,
    Person,
    Person,
  ]
  father.spouse = mother
  mother.spouse = father
  const titles = new Map<Person, string>([
    [father, '아버지'],
    [mother, '어머니'],
    [uncle, '큰아버지'],
    [younger, '작은아버지'],
    [aunt, '고모'],
    [aunt2, '고모'],
    [mUncle, '외삼촌'],
    [mYounger, '외삼촌'],
    [mAunt, '이모'],
    [mAunt2, '이모'],
  ])
  for (const [who, title] of [
    [uncle, '큰어머니'],
    [younger, '작은어머니'],
    [aunt, '고모부'],
    [aunt2, '고모부'],
    [mUncle, '외숙모'],
    [mYounger, '외숙모'],
    [mAunt, '이모부'],
    [mAunt2, '이모부'],
  ] as const)
    marry(who, title)
  for (const [who, title] of [
    [aunt, '고종사촌'],
    [aunt2, '고종사촌'],
    [mUncle, '외사촌'],
    [mYounger, '외사촌'],
    [mAunt, '이종사촌'],
    [mAunt2, '이종사촌'],
  ] as const)
    for (const male of [true, false])
      person(title, male, 90, who.male ? [who, who.spouse!] : [who.spouse!, who])
  const path = /^내가 (.+?)을\(를\)/.exec(question)![1]!.split('의 ')
  let at: Person[] = [path[0] === '아버지' ? father : mother]
  for (const word of path.slice(1)) {
    at = at.flatMap(p => {
      const siblings = people.filter(
        q => q !== p && q.father !== undefined && q.father === p.father,
      )
      const children = people.filter(q => q.father === p || q.mother === p)
      if (word === '아버지') return p.father ?? []
      if (word === '어머니') return p.mother ?? []
      if (word === '아내' || word === '남편') return p.spouse ?? []
      // My own parents are left out: of them nobody would ask so.
      if (word === '아들') return children.filter(q => q.male && q !== father)
      if (word === '딸') return children.filter(q => !q.male && q !== mother)
      const older = ['형', '오빠', '누나', '언니'].includes(word)
      const male = ['형', '오빠', '남동생'].includes(word)
      return siblings.filter(q => q.male === male && (older ? q.born < p.born : q.born > p.born))
    })
  }
  const called = new Set(at.map(p => titles.get(p) ?? p.key))
  expect([question, called.size]).toEqual([question, 1])
  return [...called][0]!
}

const SOLVERS: Record<string, (question: string) => string> = {
  dates: solveDates,
  people: solvePeople,
  units: solveUnits,
  kinship: solveKinship,
}

describe('10,000 questions', () => {
  const questions = generateCommonsense(10_000, 1)
  test('are distinct, of all families and levels, with as many steps as their level', () => {
    expect(new Set(questions.map(q => q.question)).size).toBe(10_000)
    const count = (of: (q: CommonsenseQuestion) => boolean): number => questions.filter(of).length
    for (const family of ['dates', 'people', 'units'])
      expect(count(q => q.family === family)).toBeGreaterThan(1500)
    expect(count(q => q.family === 'kinship')).toBeGreaterThan(500)
    for (let level = 1; level <= 6; level++)
      expect(count(q => q.level === level)).toBeGreaterThan(500)
    expect(
      questions.every(q => q.steps.length === q.level && q.steps.at(-1)!.result === q.answer),
    ).toBe(true)
    expect(generateCommonsense(50, 1)).toEqual(questions.slice(0, 50))
    expect(generateCommonsense(50, 2)).not.toEqual(questions.slice(0, 50))
  })

  test('have the answers of the second implementation', () => {
    const wrong = questions.flatMap(({ family, question, answer }) => {
      const second = SOLVERS[family]!(question)
      return second === answer ? [] : [`${question} ${answer} / ${second}`]
    })
    expect(wrong.slice(0, 5)).toEqual([])
  })
})

test('the step that a completion misses first', () => {
  const steps = [
    { does: '', result: '60마리' },
    { does: '', result: '1,040마리' },
    { does: '', result: '52마리' },
  ]
  expect(missedStep(steps, '먼저 60 마리, 그다음 1040마리, 그래서 52마리')).toBeNull()
  expect(missedStep(steps, '먼저 60마리, 그다음 70마리, 그래서 52마리')).toBe(2)
  expect(missedStep(steps, '')).toBe(1)
  // A number within a longer one is another number.
  expect(missedStep([{ result: '5마리' }], '15마리에서 25마리')).toBe(1)
  expect(missedStep([{ result: '5마리' }], '15마리에서 10마리를 빼면 5마리')).toBeNull()
})

test('the particle behind a day agrees with it', () => {
  const asked = generateCommonsense(600, 7)
    .filter(({ family, level }) => family === 'dates' && level === 1)
    .map(({ question }) => /(\S)(은|는) 양력으로/.exec(question)!.slice(1))
  const closed = (syllable: string): boolean => (syllable.charCodeAt(0) - 0xac00) % 28 !== 0
  expect(new Set(asked.map(([syllable]) => syllable))).toContain('오')
  for (const [syllable, particle] of asked) {
    expect(particle, syllable).toBe(syllable === ')' || closed(syllable!) ? '은' : '는')
  }
})
