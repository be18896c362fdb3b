/** Parquet files, bent. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readRecords } from '../../../lib/data/readers.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, type Random } from '../mutate.ts'

const fixture = (name: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`../../data/fixtures/${name}`, import.meta.url)))
const SEEDS = [fixture('messages.parquet'), fixture('large-integer.parquet')]
let file: string | undefined

export const target: FuzzTarget = {
  name: 'parquet',
  make(random: Random) {
    const seed = random.pick(SEEDS)
    if (random.chance(2)) return mutateBytes(random, seed)
    // The metadata stands before the last 8 bytes.
    const length = seed.readUInt32LE(seed.length - 8)
    const begin = seed.length - 8 - length
    const metadata = mutateBytes(random, seed.subarray(begin, seed.length - 8))
    const size = Buffer.alloc(4)
    size.writeUInt32LE(metadata.length)
    return Buffer.concat([seed.subarray(0, begin), metadata, size, Buffer.from('PAR1')])
  },
  async run(bytes: Buffer) {
    file ??= join(mkdtempSync(join(tmpdir(), 'kogrpo-fuzz-')), 'x.parquet')
    writeFileSync(file, bytes)
    let rows = 0
    for await (const { record } of readRecords(file)) {
      JSON.stringify(record)
      if (++rows > 100_000) throw new Error('more rows than the file can hold')
    }
  },
}
