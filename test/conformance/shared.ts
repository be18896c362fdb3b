/**
 * Real inputs beside the repository (`../shared/data`): present for developers and CI, absent in a
 * plain clone, where the conformance tests say so and are skipped.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../../../shared/data')

/** Whether the shared inputs are here. */
export const hasShared: boolean = existsSync(root)

/** What to append to a suite's name so that a report says why it was skipped. */
export const skipNote: string = hasShared ? '' : ' (skipped: no shared data)'

/** Path of a shared input. */
export function shared(...names: string[]): string {
  return path.join(root, ...names)
}

/** The records of a shared JSONL file. */
export function sharedRecords<T>(...names: string[]): T[] {
  return readFileSync(shared(...names), 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}
