/**
 * metrics.jsonl: one object per optimizer step, `{stage, step, …metrics}` under TRL's names.
 *
 * Two runs of one recipe with one seed write the same bytes, on any thread count, save for the
 * values of the keys `timing_s/*`, `perf/*` and `step_time*` (events.ts, isTimingKey). Keys keep
 * the order in which the loop emits them.
 */
import type { Consumer, RunEvent } from './events.ts'
import { JsonLinesWriter } from './jsonl.ts'

export class MetricsWriter implements Consumer {
  readonly #writer: JsonLinesWriter

  constructor(path: string) {
    this.#writer = new JsonLinesWriter(path)
  }

  handle(event: RunEvent): void {
    if (event.type !== 'step') return
    this.#writer.append({ stage: event.stage, step: event.step, ...event.metrics })
  }

  close(): void {
    this.#writer.close()
  }
}
