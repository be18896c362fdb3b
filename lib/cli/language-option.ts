/** The option --lang of every command, which is read before any other: errors are in that language too. */
import { LANGUAGES, type Language, languageOfLocale } from '../messages/language.ts'
import { joined, phrase } from '../messages/phrase.ts'
import { UsageError } from './errors.ts'
import { oneOfWords } from './options.ts'

/** The language by `--lang`, KOGRPO_LANG or the locale, and the arguments without `--lang`. */
export function takeLanguage(
  args: readonly string[],
  env: Record<string, string | undefined>,
): { language: Language; args: string[] } {
  const rest: string[] = []
  const variable = env.KOGRPO_LANG ?? ''
  let given: string | undefined
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    if (word === '--lang') given = args[++i] ?? ''
    else if (word.startsWith('--lang=')) given = word.slice('--lang='.length)
    else rest.push(word)
  }
  if (given === '') throw new UsageError(joined(['--lang', phrase('needs a value')], ': '))
  if (given !== undefined) return { language: oneOfWords('--lang', LANGUAGES, given), args: rest }
  if (variable !== '')
    return { language: oneOfWords('KOGRPO_LANG', LANGUAGES, variable), args: rest }
  return { language: languageOfLocale(env), args: rest }
}
