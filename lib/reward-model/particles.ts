/**
 * Particles behind numbers: 3을 but 4를, because it is read 삼 and 사. When a perturbation exchanges a
 * number, the particle behind it has to follow, or its form gives the mistake away and the reward model
 * learns spelling instead of arithmetic.
 */

/** Final consonant of what a digit is read as: 0 none, 1 a consonant, 2 ㄹ. */
const DIGIT_FINALS = [1, 2, 0, 1, 0, 0, 1, 2, 2, 0]

/** Forms after a consonant and after a vowel; longer ones first. */
const PAIRS: readonly (readonly [closed: string, open: string])[] = [
  ['이에요', '예요'],
  ['으로', '로'],
  ['이랑', '랑'],
  ['이라', '라'],
  ['이나', '나'],
  ['은', '는'],
  ['이', '가'],
  ['을', '를'],
  ['과', '와'],
]

/** 0: the word ends in a vowel, 1: in a consonant, 2: in ㄹ; null where its sound is not known. */
export function finalOf(word: string): 0 | 1 | 2 | null {
  const last = word.at(-1) ?? ''
  if (/\d/.test(last)) {
    // Trailing zeros are read 십, 백, 천, 만, 억: all with a consonant other than ㄹ.
    return DIGIT_FINALS[Number(last)] as 0 | 1 | 2
  }
  const code = last.charCodeAt(0) - 0xac00
  if (!(code >= 0 && code < 11_172)) return null
  const final = code % 28
  return final === 0 ? 0 : final === 8 ? 2 : 1
}

/** The form of the particle pair behind `word`. */
export function formOf(word: string, [closed, open]: readonly [string, string]): string {
  const final = finalOf(word)
  if (closed === '으로') return final === 1 ? closed : open
  return final === 0 ? open : closed
}

/** `rest`, which stands behind `word`, with the particle that it begins with in the right form. */
export function agree(word: string, rest: string): string {
  if (finalOf(word) === null) return rest
  // 이다, 이고, 이며, 이므로 and 입니다 stand behind vowels too.
  if (/^이(?:다|고|며|므)/.test(rest)) return rest
  for (const pair of PAIRS) {
    const found = pair.find(form => rest.startsWith(form) && !/^[가-힣]/.test(tail(rest, form)))
    if (found !== undefined) return formOf(word, pair) + rest.slice(found.length)
  }
  return rest
}

/** What follows the particle, if it may follow one: another particle (3으로는, 4에서는) does. */
function tail(rest: string, form: string): string {
  return rest.slice(form.length).replace(/^(?:는|은|도|만|부터|까지|면|고)(?![가-힣])/, '')
}
