/**
 * Errors of the command line and their exit codes: 2 for a command that was mistyped, 130 and 143
 * for a run that SIGINT or SIGTERM stopped, 1 for everything else.
 */
import { KogrpoError } from '../errors.ts'
import { failure, inEnglish, type Phrase, phrase, type Say } from '../messages/phrase.ts'

/** A mistake in the command line itself. */
export class UsageError extends KogrpoError {
  constructor(text: string | Phrase, options?: ErrorOptions) {
    super('E_USAGE', text, options)
    this.name = 'UsageError'
  }
}

/** The run was stopped by a signal, cleanly; the message says how to go on. */
export class Interrupted extends KogrpoError {
  readonly exitCode: number

  constructor(signal: NodeJS.Signals, text: Phrase) {
    super('E_INTERRUPTED', text)
    this.name = 'Interrupted'
    this.exitCode = signal === 'SIGTERM' ? 143 : 130
  }
}

/** A rank of kogrpo launch failed; what happened has been said. */
export class LaunchFailed extends KogrpoError {
  readonly exitCode: number

  constructor(code: number) {
    super('E_RANKS', phrase('the run failed with code {code}', { code }))
    this.name = 'LaunchFailed'
    this.exitCode = code
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof LaunchFailed) return error.exitCode
  if (error instanceof UsageError) return 2
  return error instanceof Interrupted ? error.exitCode : 1
}

/** Codes of the engine's errors whose messages name what is at fault. */
const ENGINE_CODES = new Set([
  'ERR_INVALID_ARGUMENT',
  'ERR_IO',
  'ERR_OUT_OF_MEMORY',
  'ERR_RANKS',
  'ERR_ENGINE',
])

/** Whether the message is meant for people: one of this project's errors, or the engine's. */
function isClear(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false
  return ENGINE_CODES.has(String(error.code)) || /^E_[A-Z]/.test(String(error.code))
}

/** What to print for an error: its message, and with `debug` its stack and causes (in English). */
export function describeError(error: unknown, debug: boolean, say: Say = inEnglish): string {
  if (error instanceof Interrupted) return say(failure(error))
  const title = isClear(error) ? 'kogrpo' : say('kogrpo: unexpected error')
  if (!debug) {
    const hint = isClear(error) ? '' : say(' (KOGRPO_DEBUG=1 shows where)')
    return `${title}: ${say(failure(error))}${hint}`
  }
  const parts: string[] = []
  for (let e: unknown = error; e !== undefined; e = e instanceof Error ? e.cause : undefined) {
    parts.push(e instanceof Error ? (e.stack ?? e.message) : String(e))
  }
  return `${title}: ${parts.join('\ncaused by ')}`
}
