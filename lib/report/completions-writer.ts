/** completions.jsonl: one object per sampled completion (events.ts, CompletionRow). */
import type { Consumer, RunEvent } from './events.ts'
import { JsonLinesWriter } from './jsonl.ts'

export class CompletionsWriter implements Consumer {
  readonly #writer: JsonLinesWriter

  constructor(path: string) {
    this.#writer = new JsonLinesWriter(path)
  }

  handle(event: RunEvent): void {
    if (event.type !== 'completions') return
    for (const row of event.rows) this.#writer.append(row)
  }

  close(): void {
    this.#writer.close()
  }
}
