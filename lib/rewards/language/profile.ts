/**
 * How much of a text is Korean, and what the rest is. Foreign text is exempt when it is
 *
 *   quoted ("…", ‘…’, 「…」), a gloss behind a Korean word (서울(首爾)), or prose within a formula or code,
 *   a name with a Korean particle (Emily에게), a term introduced as one (torus라고 한다),
 *   in the prompt, or of a language that the prompt asks for.
 *
 * Exempt text may not become the text: what exceeds half of the Korean counts after all, every word
 * once, however often it comes. Only an answer whose language the prompt asked for is free.
 *
 * A broken character (U+FFFD) counts like a foreign letter wherever it stands: no exemption, and no formula
 * or code, makes it text.
 *
 *   share = K / (K + F + B + max(0, E − K/2))     K Korean, F counted foreign, B broken, E exempt foreign
 */
import { SOFT_BEGIN, SOFT_END, withoutNeutral } from './neutral.ts'
import { type LanguageRequest, NO_REQUEST } from './request.ts'
import { type Language, type Segment, segments } from './segments.ts'

export type Unit = 'letter' | 'word'
export type Counts = Record<Unit, number>

export interface Profile {
  /** What counts, by language. */
  counted: Record<Language, Counts>
  /** Distinct foreign words that are exempt, within the limit above. */
  exempt: Counts
  /** Characters that decoding could not make of the bytes. */
  broken: Counts
  /** How often the counted words change between Korean and foreign. */
  switches: number
  /** Where in the text, formulas and code left out: 0 its beginning, 1 its end. */
  switchPlaces: number[]
}

export interface ProfileOptions {
  quotes?: boolean | undefined
  request?: LanguageRequest | undefined
  /** Whether a requested language is exempt without limit: true for answers. */
  answer?: boolean | undefined
}

const LONGEST_QUOTE = 80
const QUOTE = new RegExp(
  [
    ['"', '"'],
    ['“', '”'],
    ['‘', '’'],
    ['「', '」'],
    ['『', '』'],
    ['《', '》'],
    ['«', '»'],
  ]
    .map(([open, close]) => `${open}[^${open}${close}\\n]{1,${LONGEST_QUOTE}}${close}`)
    // An apostrophe is no quotation mark.
    .concat(`(?<!\\p{L})'[^'\\n]{1,${LONGEST_QUOTE}}'(?!\\p{Script=Latin})`)
    .concat(`(?<=[\\p{Script=Hangul}\\]])\\([^()\\n]{1,${LONGEST_QUOTE}}\\)`)
    .join('|'),
  'gu',
)

const PARTICLES =
  /^(?:은|는|이|가|을|를|의|와|과|도|만|에|에게|에게서|에서|에는|에게는|에서는|한테|께|로|으로|로서|으로서|로써|으로써|보다|까지|부터|처럼|마다|조차|라는|이라는|라고|이라고|라면|이라면|란|이란|나|이나|랑|이랑|이다|입니다|이고|이며|이므로|인|일|씨|씨는|씨가|씨의|씨에게|들|들은|들이|들을|들의)$/

/** Particles that introduce a term: x를 torus라고 한다. */
const NAMING = /^이?(?:라는|라고|란)$/

/**
 * Names within Korean: capitalised with a particle at least once (Emily에게는), or introduced as a term
 * (torus라고 한다), and not the end of a phrase, which has a word in small letters before it.
 */
function namesIn(text: string, found: readonly Segment[]): Set<string> {
  const small = (segment: Segment | undefined, gap: string): boolean =>
    segment?.language === 'latin' && /^\s+$/.test(gap) && /^\p{Ll}/u.test(segment.text)
  const words = new Set<string>()
  found.forEach((segment, i) => {
    const [before, after] = [found[i - 1], found[i + 1]]
    if (segment.language !== 'latin' || after?.start !== segment.end) return
    const particles = /^\p{Lu}/u.test(segment.text) ? PARTICLES : NAMING
    if (!particles.test(after.text)) return
    if (!small(before, text.slice(before?.end ?? 0, segment.start))) {
      words.add(segment.text.toLowerCase())
    }
  })
  return words
}

const SOFT = new RegExp(`${SOFT_BEGIN}[^${SOFT_END}]*${SOFT_END}`, 'gu')

/** The segments that lie within a match of `pattern`. */
function within(pattern: RegExp, text: string, found: readonly Segment[]): Set<Segment> {
  const inside = new Set<Segment>()
  let next = 0
  for (const match of text.matchAll(pattern)) {
    const end = match.index + match[0].length
    while (next < found.length && found[next]!.start < match.index) next++
    for (; next < found.length && found[next]!.end <= end; next++) inside.add(found[next]!)
  }
  return inside
}

const BROKEN_WORD = 6

const none = (): Counts => ({ letter: 0, word: 0 })

function add(counts: Counts, { letters, words }: Segment): void {
  counts.letter += letters
  counts.word += words
}

/** Each U+FFFD a letter, and each run of them a word for every begun `BROKEN_WORD`, as in Hangul. */
function brokenIn(text: string): Counts {
  const broken = none()
  for (const [run] of text.matchAll(/\u{fffd}+/gu)) {
    broken.letter += run.length
    broken.word += Math.ceil(run.length / BROKEN_WORD)
  }
  return broken
}

/** The languages of `text`; linear time, any input. */
export function profile(text: string, options: ProfileOptions = {}): Profile {
  const { quotes = true, request = NO_REQUEST, answer = false } = options
  const rest = withoutNeutral(text)
  const found = segments(rest)
  const inQuotes = quotes ? within(QUOTE, rest, found) : new Set<Segment>()
  const inFormulas = within(SOFT, rest, found)
  const words = namesIn(rest, found)
  const exempted = new Set<string>()
  const counted = {
    korean: none(),
    chinese: none(),
    japanese: none(),
    latin: none(),
    other: none(),
  }
  const exempt = none()
  const switchPlaces: number[] = []
  let before: boolean | undefined
  for (const segment of found) {
    const { language } = segment
    if (language !== 'korean') {
      const asked = request.languages.has(language)
      if (asked && answer) continue
      const word = segment.text.toLowerCase()
      const marked = asked || inQuotes.has(segment) || inFormulas.has(segment)
      if (marked || words.has(word) || request.words.has(word)) {
        if (!exempted.has(word)) add(exempt, segment)
        exempted.add(word)
        continue
      }
    }
    add(counted[language], segment)
    if (segment.words === 0) continue
    const korean = language === 'korean'
    if (before !== undefined && before !== korean) switchPlaces.push(segment.start / rest.length)
    before = korean
  }
  const broken = brokenIn(text)
  return { counted, exempt, broken, switches: switchPlaces.length, switchPlaces }
}

/** Korean and all that counts against it, in `unit`. */
export function koreanOf(
  { counted, exempt, broken }: Profile,
  unit: Unit,
): { korean: number; all: number } {
  const korean = counted.korean[unit]
  const foreign =
    counted.chinese[unit] + counted.japanese[unit] + counted.latin[unit] + counted.other[unit]
  const excess = Math.max(0, exempt[unit] - korean / 2)
  return { korean, all: korean + foreign + broken[unit] + excess }
}

/** Share of Korean, null where nothing counts. */
export function shareOf(profile: Profile, unit: Unit): number | null {
  const { korean, all } = koreanOf(profile, unit)
  return all === 0 ? null : korean / all
}

/** Share of Chinese and Japanese letters among all letters that count; 0 where none does. */
export function leakOf(profile: Profile): number {
  const { all } = koreanOf(profile, 'letter')
  const { chinese, japanese } = profile.counted
  return all === 0 ? 0 : (chinese.letter + japanese.letter) / all
}
