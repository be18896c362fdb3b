/** The option --smooth of commands that compute with a model, and the check of such settings. */

import { parse } from 'yaml'
import type { Options } from 'yargs'
import { type SmoothSettings, smooth as schema } from '../config/schema/smooth.ts'
import { joined, phrase } from '../messages/phrase.ts'
import { UsageError } from './errors.ts'

/** `settings` with the defaults; throws `UsageError` naming the option and every bad key. */
export function smoothSettings(option: string, settings: unknown): SmoothSettings {
  const result = schema.safeParse(settings)
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  )
  throw new UsageError(joined([`--${option}`, problems.join('; ')], ': '))
}

/** "" (the option alone), a number (min_scale), or keys as YAML. */
function coerce(word: string | undefined): SmoothSettings | undefined {
  if (word === undefined) return undefined
  if (word === '') return smoothSettings('smooth', {})
  let value: unknown
  try {
    value = parse(word)
  } catch {
    value = word
  }
  if (typeof value === 'number') return smoothSettings('smooth', { min_scale: value })
  if (typeof value === 'object' && value !== null) return smoothSettings('smooth', value)
  throw new UsageError(
    phrase(
      '--smooth: expected nothing, a number (min_scale), or keys such as \'{min_scale: 0.4}\', got "{word}"',
      { word },
    ),
  )
}

export const smoothOption = {
  type: 'string',
  describe:
    "Suppress Chinese tokens as kogrpo smooth does, without changing weights; a number is min_scale, '{…}' further settings",
  coerce,
} as const satisfies Options
