/** A language's translations, checked as they are written: a translation has the places of its English. */
import type { Places } from './places.ts'

export interface Dictionary {
  /** By English text. */
  texts: Readonly<Record<string, string>>
  /** The system's errors, by code: ENOENT and its like. */
  system: Readonly<Record<string, string>>
}

type SamePlaces<English, Words> = [Places<English>, Places<Words>] extends [
  Places<Words>,
  Places<English>,
]
  ? Words
  : { expected: Places<English> }

/** Translations by their English; the type checker refuses one whose places differ. */
export function catalogue<const T extends Record<string, string>>(
  texts: T & { [English in keyof T]: SamePlaces<English, T[English]> },
): T {
  return texts
}
