/**
 * Whether anybody listens where a judge is said to be, asked before anything is trained: a run of hours
 * must not end at its first verdict over a mistyped address. Any reply will do, of whatever status;
 * only what leaves no doubt counts against it (no such host, nobody listens there). A server that is
 * merely slow is for the retries of the judge itself.
 */
import { messageOf } from '../../errors.ts'

const CERTAIN = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'],
])
const PATIENCE_MS = 5000

/** Why nobody can be reached at `base_url`; null when somebody can, or it is uncertain. */
export async function whyUnreachable(base_url: string): Promise<string | null> {
  try {
    await fetch(base_url, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    return null
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    const first = cause instanceof AggregateError ? cause.errors[0] : cause
    if (!(first instanceof Error)) return null
    const code = 'code' in first ? String(first.code) : ''
    return CERTAIN.has(code) || first.message === 'bad port' ? messageOf(first) : null
  }
}
