/**
 * Which language the user reads: `--lang`, else KOGRPO_LANG, else the locale (LC_ALL, LC_MESSAGES, LANG:
 * the first that is set, as POSIX has it). Everything that is not Korean is English.
 */
import { type Say, sayIn } from './phrase.ts'

export const LANGUAGES = ['en', 'ko'] as const
export type Language = (typeof LANGUAGES)[number]

/** The language of the locale: ko_KR.UTF-8, ko and the like are Korean. */
export function languageOfLocale(env: Record<string, string | undefined>): Language {
  const locale = [env.LC_ALL, env.LC_MESSAGES, env.LANG].find(value => (value ?? '') !== '')
  return /^ko(?![a-z])/i.test(locale ?? '') ? 'ko' : 'en'
}

/** Says texts in `language`; Korean is loaded only where it is wanted. */
export async function speak(language: Language): Promise<Say> {
  return sayIn(language === 'ko' ? (await import('./ko.ts')).ko : null)
}
