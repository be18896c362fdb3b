/**
 * The key of an endpoint: from an environment variable or a file that the recipe names, never from the
 * recipe. What is refused here is refused without showing it; a header that fetch cannot send would
 * otherwise be quoted in its error.
 */
import { readFileSync } from 'node:fs'
import { KogrpoError } from '../../errors.ts'
import { joined, type Phrase, phrase } from '../../messages/phrase.ts'

interface KeySource {
  api_key_env?: string | undefined
  api_key_file?: string | undefined
}

/** The key, or undefined where none is named. Throws `E_CONFIG`. */
export function readKey(
  source: KeySource,
  environment: Record<string, string | undefined>,
): string | undefined {
  const { api_key_env: variable, api_key_file: file } = source
  if (variable !== undefined && file !== undefined) {
    throw refused(phrase('api_key_env and api_key_file are both given; keep one'))
  }
  if (variable !== undefined) {
    const key = environment[variable]
    if (!key)
      throw refused(
        phrase('the environment variable {variable} (api_key_env) is not set', { variable }),
      )
    return checked(key, phrase('the environment variable {variable}', { variable }))
  }
  if (file === undefined) return undefined
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    throw refused(phrase('{file} (api_key_file) cannot be read{code}', { file, code }))
  }
  return checked(text, file)
}

function checked(text: string, from: string | Phrase): string {
  const key = text.trim()
  if (key === '') throw refused(phrase('{from} is empty; it should hold the key', { from }))
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw refused(
      phrase('{from} holds more than a key: a key is one word of ASCII characters', { from }),
    )
  }
  return key
}

function refused(problem: Phrase): KogrpoError {
  return new KogrpoError('E_CONFIG', joined(['judge openai', problem], ': '))
}
