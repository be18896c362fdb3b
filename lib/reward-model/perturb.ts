/**
 * Mistakes planted into expert traces, as negatives of the reward model (R-AIRL, arXiv 2510.01857, flips
 * an operator, nudges the answer, corrupts numbers), for Korean: numerals in digits and in Hangul,
 * operations as signs and as verbs with their particles (5에 3을 더하면, 5에서 3을 빼면), and, for a reward that is
 * to judge language too, a wrong role particle or a change of the sentence's ending. Layout and length stay
 * and particles agree with what they follow, so that nothing but the mistake tells the two apart.
 */
import { agree, finalOf, formOf } from './particles.ts'

export const PERTURBATIONS = ['numeral', 'operation', 'answer', 'particle', 'ending'] as const
export type Perturbation = (typeof PERTURBATIONS)[number]

/** One place where a text can be changed: [begin, end) becomes `text`. */
interface Edit {
  begin: number
  end: number
  text: string
}

interface Perturbed {
  text: string
  /** Where the change begins, in UTF-16 units. */
  at: number
}

/** A whole number below `bound`. */
export type Below = (bound: number) => number

const ARABIC = /\d+(?:,\d{3})*(?:\.\d+)?/g
const NATIVE = ['한', '두', '세', '네', '다섯', '여섯', '일곱', '여덟', '아홉', '열']
const COUNTERS = '개|명|살|마리|권|장|번|시간|시|자루|병|송이|대|그루|달|가지|배'
const NATIVE_COUNTED = new RegExp(`(?<![가-힣])(${NATIVE.join('|')})(?= ?(?:${COUNTERS}))`, 'g')
const SINO = '일이삼사오육칠팔구'
const SINO_COUNTED =
  /(?<![가-힣])[일이삼사오육칠팔구십백천만]{2,}(?= ?(?:원|개|명|번|년|점|분|초|킬로|미터|리터|퍼센트))/g

/** Replaces [begin, begin + length) by `text` and makes the particle behind it agree. */
function withParticle(whole: string, begin: number, length: number, text: string): Edit {
  const rest = /^[가-힣]{1,5}/.exec(whole.slice(begin + length))?.[0] ?? ''
  return { begin, end: begin + length + rest.length, text: text + agree(text, rest) }
}

/** Another digit at a random place; the number keeps its length and its first digit is not 0. */
function otherNumber(number: string, below: Below): string {
  const places = Array.from(number, (c, i) => (/\d/.test(c) ? i : -1)).filter(i => i >= 0)
  const place = places[below(places.length)]!
  const old = Number(number[place])
  const least = place === places[0] && places.length > 1 ? 1 : 0
  const choices = [...Array(10).keys()].filter(d => d >= least && d !== old)
  return number.slice(0, place) + choices[below(choices.length)]! + number.slice(place + 1)
}

function numeralEdits(text: string, below: Below): Edit[] {
  const arabic = [...text.matchAll(ARABIC)]
  // The last number is the answer's; that is a perturbation of its own.
  const edits = arabic
    .slice(0, -1)
    .map(({ 0: number, index }) =>
      withParticle(text, index, number.length, otherNumber(number, below)),
    )
  for (const { 0: word, index } of text.matchAll(NATIVE_COUNTED)) {
    const choices = NATIVE.filter(n => n !== word)
    edits.push({ begin: index, end: index + word.length, text: choices[below(choices.length)]! })
  }
  for (const { 0: word, index } of text.matchAll(SINO_COUNTED)) {
    const places = Array.from(word, (c, i) => (SINO.includes(c) ? i : -1)).filter(i => i >= 0)
    if (places.length === 0) continue
    const place = places[below(places.length)]!
    const choices = Array.from(SINO).filter(c => c !== word[place])
    const begin = index + place
    edits.push({ begin, end: begin + 1, text: choices[below(choices.length)]! })
  }
  return edits
}

/** The last number, one more or less in its last digit. */
function answerEdits(text: string, below: Below): Edit[] {
  const last = [...text.matchAll(ARABIC)].at(-1)
  if (last === undefined) return []
  const { 0: number, index } = last
  const decimals = /\.(\d+)$/.exec(number)?.[1]?.length ?? 0
  const units = Number(number.replaceAll(/[,.]/g, ''))
  const moved = units === 0 || below(2) === 0 ? units + 1 : units - 1
  const digits = String(moved).padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const grouped = number.includes(',') ? whole.replaceAll(/(\d)(?=(\d{3})+$)/g, '$1,') : whole
  const changed = decimals > 0 ? `${grouped}.${digits.slice(-decimals)}` : grouped
  return [withParticle(text, index, number.length, changed)]
}

const SIGNS: Record<string, string> = {
  '+': '-',
  '-': '+',
  '−': '+',
  '×': '÷',
  '÷': '×',
  '*': '/',
  '/': '*',
}
const SIGN = /(?<=[\d)가-힣] ?)[-+−×÷*/](?= ?[\d(])/g
const A = String.raw`(\d[\d,.]*)((?:${COUNTERS}|원|명|점|분)?)`
const ADD = new RegExp(`${A}에 ${A}[을를] 더(하면|하고|하기|한|해서|해|합니다|하여)`, 'g')
const SUBTRACT = new RegExp(`${A}에서 ${A}[을를] (빼면|빼고|빼기|뺀|빼서|빼|뺍니다)`, 'g')
const MULTIPLY = new RegExp(`${A}에 ${A}[을를] 곱(하면|하고|하기|한|해서|해|합니다|하여)`, 'g')
const DIVIDE = new RegExp(
  `${A}[을를] ${A}(?:으로|로) (나누면|나누고|나누기|나눈|나눠서|나눠|나눕니다|나누어)`,
  'g',
)
const PLUS_FORMS = ['하면', '하고', '하기', '한', '해서', '해', '합니다', '하여']
const MINUS_FORMS = ['빼면', '빼고', '빼기', '뺀', '빼서', '빼', '뺍니다', '빼어']
const DIVIDE_FORMS = ['나누면', '나누고', '나누기', '나눈', '나눠서', '나눠', '나눕니다', '나누어']
const EUL = ['을', '를'] as const
const RO = ['으로', '로'] as const

function operationEdits(text: string): Edit[] {
  const edits: Edit[] = []
  for (const { 0: sign, index } of text.matchAll(SIGN)) {
    edits.push({ begin: index, end: index + 1, text: SIGNS[sign]! })
  }
  const verbs = (
    pattern: RegExp,
    change: (a: string, b: string, form: string) => string | null,
  ): void => {
    for (const match of text.matchAll(pattern)) {
      const [, n, unit, m, unit2, form] = match as unknown as string[]
      const changed = change(`${n}${unit}`, `${m}${unit2}`, form!)
      if (changed === null) continue
      edits.push({ begin: match.index, end: match.index + match[0].length, text: changed })
    }
  }
  const at = (from: readonly string[], to: readonly string[], form: string): string | undefined =>
    to[from.indexOf(form)]
  verbs(ADD, (a, b, form) => `${a}에서 ${b}${formOf(b, EUL)} ${at(PLUS_FORMS, MINUS_FORMS, form)!}`)
  verbs(
    SUBTRACT,
    (a, b, form) => `${a}에 ${b}${formOf(b, EUL)} 더${at(MINUS_FORMS, PLUS_FORMS, form)!}`,
  )
  verbs(
    MULTIPLY,
    (a, b, form) =>
      `${a}${formOf(a, EUL)} ${b}${formOf(b, RO)} ${at(PLUS_FORMS, DIVIDE_FORMS, form)!}`,
  )
  verbs(
    DIVIDE,
    (a, b, form) => `${a}에 ${b}${formOf(b, EUL)} 곱${at(DIVIDE_FORMS, PLUS_FORMS, form)!}`,
  )
  return edits
}

const ROLES: readonly (readonly [string, string])[] = [
  ['을', '를'],
  ['이', '가'],
  ['은', '는'],
]

/** Words of two syllables or more with a subject, object or topic particle: another of the three. */
function particleEdits(text: string, below: Below): Edit[] {
  const edits: Edit[] = []
  for (const match of text.matchAll(/(?<![가-힣])([가-힣]{2,})([을를이가은는])(?=[ ,.])/g)) {
    const [, word, particle] = match as unknown as [string, string, string]
    const own = ROLES.findIndex(pair => formOf(word, pair) === particle)
    // 어린이, 먹는: the last syllable is no particle where its form does not agree.
    if (own < 0 || finalOf(word) === null) continue
    const others = ROLES.filter((_, i) => i !== own)
    const begin = match.index + word.length
    edits.push({ begin, end: begin + 1, text: formOf(word, others[below(others.length)]!) })
  }
  return edits
}

/** Sentence endings of the polite form and their plain counterparts. */
const ENDINGS: readonly (readonly [string, string])[] = [
  ['했습니다.', '했다.'],
  ['였습니다.', '였다.'],
  ['었습니다.', '었다.'],
  ['았습니다.', '았다.'],
  ['입니다.', '이다.'],
  ['합니다.', '한다.'],
  ['됩니다.', '된다.'],
]

function endingEdits(text: string): Edit[] {
  const polite = text.includes('니다.')
  const edits: Edit[] = []
  for (const [formal, plain] of ENDINGS) {
    const [from, to] = polite ? [formal, plain] : [plain, formal]
    for (let at = text.indexOf(from); at >= 0; at = text.indexOf(from, at + 1)) {
      const covered = edits.some(edit => edit.begin <= at && at < edit.end)
      if (!covered) edits.push({ begin: at, end: at + from.length, text: to })
    }
  }
  return edits
}

/** `text` with one mistake of the kind, or null where there is no place for it. */
export function perturb(text: string, kind: Perturbation, below: Below): Perturbed | null {
  const edits = {
    numeral: () => numeralEdits(text, below),
    operation: () => operationEdits(text),
    answer: () => answerEdits(text, below),
    particle: () => particleEdits(text, below),
    ending: () => endingEdits(text),
  }
    [kind]()
    .filter(({ begin, end, text: changed }) => text.slice(begin, end) !== changed)
  if (edits.length === 0) return null
  const { begin, end, text: changed } = edits[below(edits.length)]!
  return { text: text.slice(0, begin) + changed + text.slice(end), at: begin }
}
