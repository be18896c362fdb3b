/** Reads the gold answer of a sample; a missing one is an error that names column and sample. */
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import type { Graded } from './types.ts'

/** The gold answer as text: a non-empty string or a finite number. Throws `E_REWARD`. */
export function goldText({
  gold,
  column,
  where,
}: Pick<Graded, 'gold' | 'column' | 'where'>): string {
  if (typeof gold === 'number' && Number.isFinite(gold)) return String(gold)
  if (typeof gold === 'string' && gold.trim() !== '') return gold
  throw new KogrpoError(
    'E_REWARD',
    phrase(
      "column '{column}' has no gold answer for {where} (found {found}); give a number or a non-empty string",
      { column, where, found: JSON.stringify(gold) ?? phrase('nothing') },
    ),
  )
}
