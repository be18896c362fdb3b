import { expect, test } from 'vitest'
import type { Source } from '../../lib/config/schema.ts'
import { sourceRecords } from '../../lib/train/sources.ts'

async function recordsOf(source: Omit<Source, 'weight'>): Promise<unknown[]> {
  const read: unknown[] = []
  for await (const { record } of sourceRecords({ ...source, weight: 1 }, 7)) read.push(record)
  return read
}

test('a built-in set takes its options', async () => {
  const path = 'mini:grpo'
  const plain = await recordsOf({ path, size: 5 })
  expect(plain).toHaveLength(5)
  expect(await recordsOf({ path, size: 5, options: { seed: 7 } })).toEqual(plain)
  expect(await recordsOf({ path, size: 5, options: { seed: 8 } })).not.toEqual(plain)
  const clocks = await recordsOf({ path, size: 5, options: { families: ['clock'], maxSteps: 2 } })
  expect(clocks).toEqual(Array(5).fill(expect.objectContaining({ family: 'clock' })))
})

test.each([
  ['mini:sft', { trese: 0.4 }, 'options of source mini:sft: Unrecognized key: "trese"'],
  ['mini:grpo', { size: 5 }, 'options of source mini:grpo: Unrecognized key: "size"'],
  ['mini:sft', { noise: 2 }, 'options of source mini:sft: noise: '],
  ['mini:judge', { noise: 0 }, 'options of source mini:judge: Unrecognized key: "noise"'],
])('%s refuses the options %j', async (path, options, message) => {
  await expect(recordsOf({ path, size: 5, options })).rejects.toMatchObject({
    code: 'E_CONFIG',
    message: expect.stringContaining(message),
  })
})
