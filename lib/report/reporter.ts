/**
 * The sender's end of the event stream: hands every event to each consumer, in the order given.
 * Consumers run synchronously, so that a line of metrics is on disk when `emit` returns.
 */
import type { Consumer, RunEvent } from './events.ts'

/** Hands the events of a run to its consumers. */
export class Reporter {
  readonly #consumers: readonly Consumer[]
  #closed = false

  constructor(consumers: readonly Consumer[]) {
    this.#consumers = consumers
  }

  /** Hands `event` to every consumer. A consumer that cannot write (disk full) throws here. */
  emit(event: RunEvent): void {
    if (this.#closed) throw new Error(`event "${event.type}" after the reporter was closed`)
    for (const consumer of this.#consumers) consumer.handle(event)
  }

  /** Closes every consumer; further calls do nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const consumer of this.#consumers) consumer.close?.()
  }
}
