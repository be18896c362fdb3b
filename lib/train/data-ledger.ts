/** What the sources of a run held when they were read, so that a resume notices other data. */
import { createHash } from 'node:crypto'
import type { SourceRecord } from '../data/readers.ts'
import type { DataRecord } from './run-state.ts'
import type { SameRun } from './same-run.ts'

export class DataLedger {
  /** By the key of the recipe that names the source. */
  readonly records: Map<string, DataRecord>
  readonly #same: SameRun

  /** `saved`: what the state that is gone on from had; it stays until a source is read again. */
  constructor(same: SameRun, saved: Record<string, DataRecord> = {}) {
    this.#same = same
    this.records = new Map(Object.entries(saved))
  }

  /**
   * Passes on the records of the source `key`, and enters them when the last has gone through.
   * Throws `E_RESUME` then if they are others than those of the saved run.
   */
  async *watch(
    key: string,
    path: string,
    records: AsyncIterable<SourceRecord>,
  ): AsyncGenerator<SourceRecord> {
    const hash = createHash('sha256')
    let count = 0
    for await (const record of records) {
      hash.update(JSON.stringify(record.record)).update('\n')
      count++
      yield record
    }
    const sha256 = hash.digest('hex')
    this.#same.checkHash(key, path, this.records.get(key)?.sha256, sha256)
    this.records.set(key, { path, records: count, sha256 })
  }
}
