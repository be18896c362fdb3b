/**
 * What a command touches of the process, so that tests can run commands in their own process: the
 * streams, the environment, the source of signals, and how to end at once.
 */
import type { Language } from '../messages/language.ts'
import type { Say } from '../messages/phrase.ts'
import type { Output } from '../report/progress.ts'

export interface ProcessContext {
  stdout: Output
  stderr: Output
  /** What `-` reads (default: the process's). */
  stdin?: AsyncIterable<Buffer>
  env: Record<string, string | undefined>
  /** Where SIGINT and SIGTERM come from; `process` is such. */
  signals: {
    on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
    off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  }
  exit(code: number): void
}

/** What a command gets: the process, and the user's language. */
export interface CliContext extends ProcessContext {
  language: Language
  /** Says a text in the user's language. */
  say: Say
}

export const processContext: ProcessContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signals: process,
  exit: code => process.exit(code),
}
