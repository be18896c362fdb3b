/**
 * Tables over UTF-16 code units, made once: what kind of character a unit is, and the unit to which it
 * is reduced before texts are compared (letters and digits in NFKC and lower case; 0 for everything
 * else: spaces, punctuation and marks make no difference between two texts). One look-up a character
 * replaces regular expressions, which would be the whole cost of filtering. Units whose NFKC form is
 * longer than a unit, and surrogates, stand for themselves.
 */

/** Kinds of characters, as numbers for arrays. */
export const KIND = {
  other: 0,
  space: 1,
  newline: 2,
  /** Hangul syllables. */
  hangul: 3,
  /** Consonants and vowels on their own (ㅋㅋ, ㅠㅠ) and conjoining jamo. */
  jamo: 4,
  letter: 5,
  digit: 6,
  /** Ends a sentence. */
  stop: 7,
  /** Control characters and U+FFFD, the trace of a wrong decoding. */
  broken: 8,
} as const

const UNITS = 0x1_0000

function kindOf(unit: number, character: string): number {
  if (unit === 0x0a) return KIND.newline
  if (/\s/u.test(character)) return KIND.space
  if (unit >= 0xac00 && unit <= 0xd7a3) return KIND.hangul
  if (/\p{Script=Hangul}/u.test(character)) return KIND.jamo
  if (/\p{L}/u.test(character) || (unit >= 0xd800 && unit <= 0xdfff)) return KIND.letter
  if (/\p{N}/u.test(character)) return KIND.digit
  if ('.!?…。！？'.includes(character)) return KIND.stop
  if (unit === 0xfffd || /\p{Cc}/u.test(character)) return KIND.broken
  return KIND.other
}

function reduced(unit: number, character: string): number {
  if (unit >= 0xd800 && unit <= 0xdfff) return unit
  if (!/[\p{L}\p{N}]/u.test(character)) return 0
  const normal = character.normalize('NFKC').toLowerCase()
  return normal.length === 1 ? normal.charCodeAt(0) : unit
}

function make(): { kinds: Uint8Array; forms: Uint16Array } {
  const kinds = new Uint8Array(UNITS)
  const forms = new Uint16Array(UNITS)
  for (let unit = 0; unit < UNITS; unit++) {
    const character = String.fromCharCode(unit)
    kinds[unit] = kindOf(unit, character)
    forms[unit] = reduced(unit, character)
  }
  return { kinds, forms }
}

let tables: ReturnType<typeof make> | undefined

/** The tables; 40 ms at the first call. */
export function unitTables(): { kinds: Uint8Array; forms: Uint16Array } {
  tables ??= make()
  return tables
}
