/**
 * Ctrl-C and SIGTERM: the first aborts the task's signal, so that it stops cleanly; the second ends
 * the process at once with code 130.
 */
import type { Phrase } from '../messages/phrase.ts'
import type { CliContext } from './context.ts'
import { Interrupted } from './errors.ts'

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM']

/** Whether `error` is what an aborted task throws, and not a failure of its own. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (error === signal.reason) return true
  if (!(error instanceof Error)) return false
  return error.name === 'AbortError' || ('code' in error && error.code === 'ABORT_ERR')
}

interface InterruptOptions {
  /** Called once, when the first signal comes: tell the user. */
  onInterrupt(): void
  /** Called when the task has stopped: how to go on. */
  message(): Phrase
}

/**
 * Runs `task` and returns its result. When a signal came, throws `Interrupted` with `message()` as
 * soon as the task has stopped, whether it returned or threw the abort; any other error of the task
 * goes through.
 */
export async function runInterruptibly<T>(
  context: Pick<CliContext, 'signals' | 'exit'>,
  options: InterruptOptions,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  let received: NodeJS.Signals | undefined
  const listener = (signal: NodeJS.Signals): void => {
    if (received !== undefined) {
      context.exit(130)
      return
    }
    received = signal
    options.onInterrupt()
    controller.abort()
  }
  for (const signal of SIGNALS) context.signals.on(signal, listener)
  try {
    const result = await task(controller.signal)
    if (received === undefined) return result
  } catch (error) {
    if (received === undefined || !isAbort(error, controller.signal)) throw error
  } finally {
    for (const signal of SIGNALS) context.signals.off(signal, listener)
  }
  throw new Interrupted(received, options.message())
}
