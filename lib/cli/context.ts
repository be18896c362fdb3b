/**
 * What a command touches of the process, so that tests can run commands in their own process: the
 * streams, the environment, the source of signals, and how to end at once.
 */
import type { Output } from '../report/progress.ts'

export interface CliContext {
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

export const processContext: CliContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signals: process,
  exit: code => process.exit(code),
}
