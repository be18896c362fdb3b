/**
 * Units of measurement: a dimension and an exact factor to its base unit. Units of one dimension
 * convert; units of different dimensions are never equal. Counters (개, 명, 살 …) and unknown words
 * have no dimension and do not count.
 */
import type { Rational } from './rational.ts'

export interface Unit {
  /** Null for a word that names no dimension. */
  dimension: string | null
  /** Base units in one of these. */
  factor: Rational
}

const unit = (dimension: string, num: number | bigint, den: number | bigint = 1): Unit => ({
  dimension,
  factor: { num: BigInt(num), den: BigInt(den) },
})

/** Length in mm, area in mm², volume in mL, mass in mg, time in s, money in its own currency. */
const UNITS: readonly [names: string, unit: Unit][] = [
  ['원|won|KRW|₩', unit('won', 1)],
  ['달러|dollars|dollar|USD|불', unit('dollar', 1)],
  ['센트|cents|cent', unit('dollar', 1, 100)],
  ['유로|euros|euro|EUR|€', unit('euro', 1)],
  ['파운드|pounds|pound', unit('pound', 1)],
  ['엔|yen|JPY', unit('yen', 1)],
  ['위안|yuan|CNY', unit('yuan', 1)],
  ['μm|마이크로미터', unit('length', 1, 1000)],
  ['mm|밀리미터', unit('length', 1)],
  ['cm|센티미터|센티|센치', unit('length', 10)],
  ['m|미터|meters|meter|metres|metre', unit('length', 1000)],
  ['km|킬로미터|kilometers|kilometres|kilometer', unit('length', 1_000_000)],
  ['inches|inch|인치', unit('length', 254, 10)],
  ['feet|foot|ft|피트', unit('length', 3048, 10)],
  ['yards|yard|야드', unit('length', 9144, 10)],
  ['miles|mile|마일', unit('length', 1_609_344)],
  ['mm^2', unit('area', 1)],
  ['cm^2|제곱센티미터|평방센티미터', unit('area', 100)],
  ['m^2|제곱미터|평방미터', unit('area', 1_000_000)],
  ['km^2|제곱킬로미터', unit('area', 10n ** 12n)],
  ['ha|헥타르', unit('area', 10n ** 10n)],
  ['cm^3|세제곱센티미터|cc|시시', unit('volume', 1)],
  ['m^3|세제곱미터', unit('volume', 1_000_000)],
  ['mL|ml|밀리리터', unit('volume', 1)],
  ['dL|dl|데시리터', unit('volume', 100)],
  ['L|l|리터|liters|liter|litres', unit('volume', 1000)],
  ['kL|kl|킬로리터', unit('volume', 1_000_000)],
  ['mg|밀리그램', unit('mass', 1)],
  ['g|그램|그람|grams|gram', unit('mass', 1000)],
  ['kg|킬로그램|킬로|kilograms|kilogram', unit('mass', 1_000_000)],
  ['t|톤|tons|ton', unit('mass', 10n ** 9n)],
  ['초|seconds|second|sec', unit('time', 1)],
  ['분|minutes|minute|mins|min', unit('time', 60)],
  ['시간|hours|hour|hrs|hr', unit('time', 3600)],
  ['일|days|day', unit('time', 86_400)],
  ['주일|주|weeks|week', unit('time', 604_800)],
  ['개월|달|months|month', unit('months', 1)],
  ['년|years|year', unit('months', 12)],
  ['시', unit('clock', 3600)],
  ['월', unit('date', 100)],
  ['km/h|킬로미터매시', unit('speed', 1000, 3600)],
  ['m/s', unit('speed', 1)],
  ['m/min|m/분', unit('speed', 1, 60)],
  ['°C|도씨|섭씨도', unit('celsius', 1)],
  ['할', unit('percent', 1, 10)],
  ['푼', unit('percent', 1, 100)],
  ['리', unit('percent', 1, 1000)],
  ['%|퍼센트|프로|percentage|percent|pct', unit('percent', 1, 100)],
]

/** Names with their units, the longest first. */
export const UNIT_NAMES: readonly [string, Unit][] = UNITS.flatMap(([names, u]) =>
  names.split('|').map((name): [string, Unit] => [name, u]),
).sort(([a], [b]) => b.length - a.length)

/** Words after a number that count things; needed only where the number itself is in Hangul. */
export const COUNTERS =
  /^(?:개월|개|명|마리|살|세트|세|권|장|쪽|페이지|번|번째|째|회|송이|자루|대|병|잔|컵|그루|봉지|상자|박스|조각|켤레|벌|척|채|점|등|위|칸|줄|층|팀|가지|곳|군데|포기|통|알|판|단|접시|그릇|도|사람|배|쌍|묶음|다발|바퀴|걸음|평|근|되|말|섬|냥|돈|자|치|척|리|필|모|톨|쪽|건|편|호|학년|반|인분|모둠|꾸러미|바구니|숟가락|방울|발|정|캔|팩|줌|타|다스|kcal|킬로칼로리|칼로리)$/

/** Counters that take native numerals: 이번, 사장, 사건 are words, not 2번, 4장, 4건. */
export const NATIVE_COUNTERS =
  /^(?:개|명|마리|살|권|장|번|회|점|대|병|잔|컵|벌|척|채|배|달|시|시간|통|알|판|단|도|자|치|말|되|근|돈|건|편|발|정|타|반|모|필|호|푼|리|할|분)$/

/** A word behind a formula that is read as a unit, at most "square centimeters" or "cm^2". */
const TRAILING =
  /(?<=[\d)}\]°]|\\pi|\\infty|[\d}]\s?[a-z])\s?(?:(?:sq(?:uare|\.)?|cubic)\s)?([a-zA-Z€₩]{1,12}(?:\/[a-z]{1,3})?(?:\^\{?[23]\}?)?|[가-힣]{1,6}(?:\^\{?[23]\}?)?)$/
/** Letters that are symbols far more often than units, and names of functions and constants. */
const NO_UNIT =
  /^(?:pi|e|i|x|y|z|n|k|a|b|c|d|p|q|r|s|and|or|sqrt|mod|sin|cos|tan|log|ln|infty|infinity)$/

/** A text without its trailing unit, and the unit (with no dimension for an unknown word). */
export function splitUnit(text: string): { body: string; unit: Unit | null } {
  const match = TRAILING.exec(text)
  const word = match?.[1]?.replace(/[{}]/g, '')
  if (match === null || word === undefined || NO_UNIT.test(word)) return { body: text, unit: null }
  const known = UNIT_NAMES.find(([name]) => name === word)?.[1]
  // A short unknown word is a product of symbols; an exponent belongs to a known unit only.
  if (known === undefined && (/\^/.test(word) || /^[a-zA-Z]{1,2}$/.test(word))) {
    return { body: text, unit: null }
  }
  if (known?.dimension === 'percent') return { body: text.slice(0, match.index), unit: null }
  // "12 m" after a digit is metres; 2m after a symbol or a power may be a product.
  if (/^[a-zA-Z]$/.test(word) && !/\d\s?$/.test(text.slice(0, match.index))) {
    return { body: text, unit: null }
  }
  const bare: Unit = { dimension: null, factor: { num: 1n, den: 1n } }
  return { body: text.slice(0, match.index), unit: known ?? bare }
}
