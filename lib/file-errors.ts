/**
 * Why a file could not be read or written, in words that say what to do: the operating system's codes
 * mean nothing to most people.
 */
import { readdirSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { didYouMean } from './config/nearest.ts'
import { messageOf } from './errors.ts'
import { failure, type Phrase, phrase } from './messages/phrase.ts'

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined

function namesIn(directory: string): string[] | null {
  try {
    return readdirSync(directory)
  } catch {
    return null
  }
}

/** Why reading `path` failed: a missing file with the nearest name beside it, or the system's words. */
export function whyUnreadable(path: string, error: unknown): Phrase {
  const whole = resolve(path)
  switch (codeOf(error)) {
    case 'ENOENT': {
      if (path.startsWith('~')) {
        return phrase('"~" is the home directory to a shell alone: write the whole path')
      }
      const names = namesIn(dirname(whole))
      if (names === null) return phrase('there is no directory {path}', { path: dirname(whole) })
      const name = basename(whole)
      const hint = names.some(other => other.normalize() === name.normalize())
        ? phrase(
            '; one of this name is there whose letters are composed otherwise (Unicode NFD, as macOS writes Hangul): complete it with Tab, or rename it',
          )
        : didYouMean(name, names)
      return phrase('there is no such file (looked at {path}){hint}', { path: whole, hint })
    }
    case 'EACCES':
      return phrase('no permission to read {path}', { path: whole })
    default:
      return failure(error)
  }
}

/** Why writing failed, as far as it can be told: a full disk (also the engine's own), no permission. */
export function whyUnwritable(error: unknown): Phrase {
  const message = messageOf(error)
  if (/ENOSPC|EDQUOT|no space left|quota exceeded/i.test(message)) {
    return phrase('the disk is full; free some space, or write elsewhere (--output-dir, --output)')
  }
  if (/EACCES|EROFS|EPERM|permission denied|read-only file system/i.test(message)) {
    return phrase(
      'no permission to write there ({message}); write elsewhere (--output-dir, --output)',
      {
        message,
      },
    )
  }
  return failure(error)
}
