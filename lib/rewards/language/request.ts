/**
 * What a prompt makes foreign text legitimate: words that it contains itself ("Tom이 apple 3개를 …"),
 * and a language that it asks for ("영어로 번역하세요", "in Japanese").
 */
import type { ChatMessage } from '../types.ts'
import { withoutNeutral } from './neutral.ts'
import { type Language, segments } from './segments.ts'

export interface LanguageRequest {
  /** Foreign words of the prompt, in lower case. */
  words: ReadonlySet<string>
  /** Languages that the prompt asks for. */
  languages: ReadonlySet<Language>
}

export const NO_REQUEST: LanguageRequest = { words: new Set(), languages: new Set() }

const KOREAN_NAMES: readonly [RegExp, Language][] = [
  [
    /(?:영어|영문|프랑스어|불어|독일어|스페인어|이탈리아어|포르투갈어|베트남어|라틴어|로마자)/,
    'latin',
  ],
  [/(?:중국어|중문|한자|한문)/, 'chinese'],
  [/(?:일본어|일어|일문)/, 'japanese'],
  [/(?:러시아어|아랍어|태국어|힌디어|그리스어|히브리어)/, 'other'],
]
const ENGLISH_NAMES: readonly [RegExp, Language][] = [
  [/\bin(?:to)? (?:english|french|german|spanish|italian|portuguese|vietnamese|latin)\b/i, 'latin'],
  [/\bin(?:to)? chinese\b/i, 'chinese'],
  [/\bin(?:to)? japanese\b/i, 'japanese'],
  [/\bin(?:to)? (?:russian|arabic|thai|hindi|greek|hebrew)\b/i, 'other'],
]
/** "…어로 쓰세요"; a name alone ("영어 시험을 본 학생") asks for nothing. */
const ASKS =
  /^\s?(?:로|으로)(?!(?:만|도)?\s?(?:생각|쓰지|말하지|답하지|하지|대답하지|된|쓰인|적힌))/
/** "…어로 쓰지 마세요", "do not answer in …". */
const FORBIDS = /^[^.!?\n]{0,12}(?:말고|말 것|마세요|마라|마십시오|않고|금지)/
const FORBIDS_BEFORE = /(?:\bnot\b|\bnever\b|n't)[^.!?\n]{0,30}$/i
/** Only so much of a prompt is read: a request is a sentence. */
const LONGEST = 20_000

function textOf({ content }: ChatMessage): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: unknown) =>
      typeof part === 'object' && part !== null && 'text' in part ? String(part.text) : '',
    )
    .join('\n')
}

function requested(prompt: string): Set<Language> {
  const languages = new Set<Language>()
  for (const [name, language] of KOREAN_NAMES) {
    for (const match of prompt.matchAll(new RegExp(name, 'g'))) {
      const after = prompt.slice(match.index + match[0].length, match.index + match[0].length + 40)
      if (ASKS.test(after) && !FORBIDS.test(after)) languages.add(language)
    }
  }
  for (const [name, language] of ENGLISH_NAMES) {
    for (const match of prompt.matchAll(new RegExp(name, 'gi'))) {
      const before = prompt.slice(Math.max(0, match.index - 40), match.index)
      if (!FORBIDS_BEFORE.test(before)) languages.add(language)
    }
  }
  // Japanese is written with Han as well.
  if (languages.has('japanese')) languages.add('chinese')
  return languages
}

/**
 * What the user messages of `messages` legitimate. The words of a prompt that is itself mostly foreign
 * count for nothing: they would excuse thinking in its language.
 */
export function languageRequest(messages: readonly ChatMessage[]): LanguageRequest {
  const prompt = messages
    .filter(({ role }) => role === 'user')
    .map(textOf)
    .join('\n')
    .slice(0, LONGEST)
  const found = segments(withoutNeutral(prompt))
  const letters = { korean: 0, all: 0 }
  for (const segment of found) {
    letters.all += segment.letters
    if (segment.language === 'korean') letters.korean += segment.letters
  }
  const korean = letters.korean * 2 >= letters.all
  const foreign = korean ? found.filter(({ language }) => language !== 'korean') : []
  return {
    words: new Set(foreign.map(({ text }) => text.toLowerCase())),
    languages: requested(prompt.normalize('NFC')),
  }
}
