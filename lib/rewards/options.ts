/** Checks the options of a reward or judge against its zod schema, with errors that name the key. */
import type { z } from 'zod'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'

/** The parsed options, defaults filled in; throws `E_CONFIG` naming `where` and every bad key. */
export function parseOptions<S extends z.ZodType>(
  where: string,
  schema: S,
  options: unknown,
): z.output<S> {
  const result = schema.safeParse(options ?? {})
  if (result.success) return result.data
  const issues = result.error.issues.map(issue => {
    const path = issue.path.map(String).join('.')
    return path === '' ? issue.message : `${path}: ${issue.message}`
  })
  throw new KogrpoError(
    'E_CONFIG',
    phrase('options of {where}: {issues}', { where, issues: issues.join('; ') }),
  )
}
