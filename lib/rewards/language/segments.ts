/**
 * A text cut into segments of one language each, by script: Hangul is Korean, Latin is Latin; Han and
 * kana are Japanese where there is kana, else Chinese. Every Unicode letter is in exactly one segment.
 *
 * A segment counts in letters, and in words, for which spaces alone would be a poor measure: Chinese
 * and Japanese have none, and Korean may be written without. So a segment is one word for every so
 * many letters (`WORD_LENGTH`, begun ones counted), and a particle behind a foreign word (apple은) is
 * no word of its own.
 */

export type Language = 'korean' | 'chinese' | 'japanese' | 'latin' | 'other'

export interface Segment {
  language: Language
  text: string
  start: number
  end: number
  letters: number
  words: number
}

const CJK = '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Bopomofo}ーｰ]'
const HANGUL = '(?=\\p{L})\\p{Script=Hangul}'
const LATIN = '(?=\\p{L})\\p{Script=Latin}'
const SEGMENT = new RegExp(
  [
    `(?<korean>(?:${HANGUL}\\p{M}*)+)`,
    // Chinese and Japanese punctuation stands inside of what it belongs to.
    `(?<cjk>${CJK}+(?:[、。，；：！？・「」『』（）]{1,3}${CJK}+)*)`,
    `(?<latin>${LATIN}(?:${LATIN}|\\p{M}|['’](?=\\p{Script=Latin}))*)`,
    `(?<other>(?:(?!\\p{Script=Hangul}|\\p{Script=Latin}|${CJK})\\p{L}\\p{M}*)+)`,
  ].join('|'),
  'gu',
)
const LETTER = /\p{L}/gu
const KANA = /[\p{Script=Hiragana}\p{Script=Katakana}]/gu

/** Letters of a word, by language. */
const WORD_LENGTH: Record<Language, number> = {
  korean: 6,
  chinese: 2,
  japanese: 2,
  latin: Number.POSITIVE_INFINITY,
  other: 12,
}
/** Longest particle behind a foreign word: 에서는, 으로서. */
const PARTICLE = 3

function count(text: string, pattern: RegExp): number {
  let matches = 0
  for (const _ of text.matchAll(pattern)) matches++
  return matches
}

/** The segments of `text` in order; linear time. */
export function segments(text: string): Segment[] {
  const found: Segment[] = []
  let han = 0
  let kana = 0
  for (const match of text.matchAll(SEGMENT)) {
    const { korean, cjk, latin } = match.groups as Record<string, string | undefined>
    const letters = count(match[0], LETTER)
    if (letters === 0) continue
    const kanaHere = cjk === undefined ? 0 : count(cjk, KANA)
    kana += kanaHere
    if (cjk !== undefined) han += letters - kanaHere
    const language =
      korean !== undefined
        ? 'korean'
        : latin !== undefined
          ? 'latin'
          : cjk === undefined
            ? 'other'
            : kanaHere > 0
              ? 'japanese'
              : 'chinese'
    const [start, end] = [match.index, match.index + match[0].length]
    found.push({ language, text: match[0], start, end, letters, words: 0 })
  }
  // Japanese has words in Han alone: beside much kana they are Japanese as well.
  const japanese = kana * 5 >= han && kana > 0
  let previous: Segment | undefined
  for (const segment of found) {
    if (japanese && segment.language === 'chinese') segment.language = 'japanese'
    const particle =
      segment.language === 'korean' &&
      segment.letters <= PARTICLE &&
      previous?.end === segment.start &&
      previous.language !== 'korean'
    segment.words = particle
      ? 0
      : Math.max(1, Math.ceil(segment.letters / WORD_LENGTH[segment.language]))
    previous = segment
  }
  return found
}
