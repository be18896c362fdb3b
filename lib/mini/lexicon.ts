/** Words the miniature's problems are made of. */
import type { Unit } from './template.ts'

export const NAMES: readonly string[] = [
  '민수',
  '지우',
  '서연',
  '하준',
  '도윤',
  '유진',
  '수빈',
  '민지',
  '은우',
  '지호',
  '예린',
  '태민',
  '소라',
  '나래',
  '현우',
  '다은',
]

/** A countable thing with its counter word, which is also its unit. */
interface Thing {
  readonly ko: string
  readonly en: string
  readonly unit: Unit
}

const thing = (ko: string, en: string, counter: string, plural: string): Thing => ({
  ko,
  en,
  unit: { ko: counter, en: plural },
})

/** Things one buys. */
export const GOODS: readonly Thing[] = [
  thing('사과', 'apple', '개', 'apples'),
  thing('빵', 'bread', '개', 'loaves'),
  thing('우유', 'milk', '병', 'bottles'),
  thing('공책', 'notebook', '권', 'notebooks'),
  thing('연필', 'pencil', '자루', 'pencils'),
  thing('지우개', 'eraser', '개', 'erasers'),
  thing('과자', 'snack', '봉지', 'bags'),
  thing('김밥', 'gimbap', '줄', 'rolls'),
  thing('양말', 'sock', '켤레', 'pairs'),
  thing('꽃', 'flower', '송이', 'flowers'),
  thing('주스', 'juice', '병', 'bottles'),
  thing('인형', 'doll', '개', 'dolls'),
]

/** Things one shares out. */
export const TREATS: readonly Thing[] = [
  thing('사탕', 'candy', '개', 'candies'),
  thing('귤', 'tangerine', '개', 'tangerines'),
  thing('구슬', 'bead', '개', 'beads'),
  thing('초콜릿', 'chocolate', '개', 'chocolates'),
  thing('딸기', 'strawberry', '개', 'strawberries'),
  thing('색종이', 'paper', '장', 'sheets'),
  thing('연필', 'pencil', '자루', 'pencils'),
  thing('공책', 'notebook', '권', 'notebooks'),
]

/** Older relatives: Korean, English possessive. */
export const ELDERS: readonly { readonly ko: string; readonly en: string }[] = [
  { ko: '사촌', en: 'cousin' },
  { ko: '선배', en: 'senior' },
  { ko: '삼촌', en: 'uncle' },
  { ko: '이모', en: 'aunt' },
]

export const PARENTS: readonly { readonly ko: string; readonly en: string }[] = [
  { ko: '아버지', en: 'father' },
  { ko: '어머니', en: 'mother' },
]

export const VEHICLES: readonly string[] = ['자동차', '버스', '기차', '트럭', '택시']

export const PLACES: readonly string[] = [
  '학교',
  '도서관',
  '공원',
  '시장',
  '할머니 댁',
  '바다',
  '역',
]
