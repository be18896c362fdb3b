/**
 * Korean grammar and number writing for the miniature: particles chosen by the final consonant
 * (batchim) of the word before them, and sums of money in digits, with a thousands separator or
 * with the units 만 (10,000) and 천 (1,000).
 */
import type { Random } from './random.ts'

/** Particle pairs: the form after a final consonant first. */
type Particle = '은/는' | '이/가' | '을/를' | '과/와' | '이/'

/**
 * Whether the last syllable of `word` ends in a consonant. A Hangul syllable is
 * 0xAC00 + (initial * 21 + vowel) * 28 + final.
 * @throws RangeError when the word does not end in a Hangul syllable: its sound is then not known.
 */
export function hasFinalConsonant(word: string): boolean {
  const code = word.charCodeAt(word.length - 1) - 0xac00
  if (!(code >= 0 && code < 11172)) {
    throw new RangeError(`particle after "${word}": the word must end in a Hangul syllable`)
  }
  return code % 28 !== 0
}

/** `word` with the right form of the particle, for example `josa('사과', '은/는')` is "사과는". */
export function josa(word: string, particle: Particle): string {
  const [closed, open] = particle.split('/')
  return word + (hasFinalConsonant(word) ? closed : open)
}

/**
 * `amount` written with 만 and 천, for example 32,000 is "3만 2천" and 6,000 is "6천".
 * Null when it is not a positive multiple of 1,000 below 100,000,000.
 */
export function inKoreanUnits(amount: number): string | null {
  if (amount <= 0 || amount % 1000 !== 0 || amount >= 100_000_000) return null
  const man = Math.floor(amount / 10_000)
  const cheon = (amount % 10_000) / 1000
  const parts: string[] = []
  if (man > 0) parts.push(`${man}만`)
  if (cheon > 0) parts.push(`${cheon}천`)
  return parts.join(' ')
}

/** A sum of money as a question writes it: digits, digits with separators, or 만/천. */
export function won(random: Random, amount: number): string {
  const units = inKoreanUnits(amount)
  if (units !== null && random.chance(0.4)) return `${units}원`
  if (amount >= 1000 && random.chance(0.1)) {
    return `${String(amount).replace(/(\d)(?=(\d{3})+$)/g, '$1,')}원`
  }
  return `${amount}원`
}

/** A closing question on `what` ("얼마", "몇 개" ...) in one of three polite endings. */
export function ask(random: Random, what: string): string {
  return `${what}${random.pick(['입니까?', '인가요?', '일까요?'])}`
}
