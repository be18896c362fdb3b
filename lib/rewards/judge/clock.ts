/** Time, as the judges use it: replaced in tests, so that minutes pass at once. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds of a steady clock. */
  now(): number
  /** Waits `ms` milliseconds; rejects when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
}
