/** `npm run leak`: 1,000 engines made and disposed of, 1,000 calls aborted at random points. */
import { expect, test } from 'vitest'
import { aborts, engines } from './leak.ts'

/** Growth of what is no leak: the allocators' own, less than a hundredth of an engine. */
const MOST_MIB = 8

test.each([
  ['engines', engines],
  ['aborted calls', aborts],
] as const)('1,000 %s leave memory flat', { timeout: 0 }, async (name, measure) => {
  const slope = await measure(1000)
  console.info(`${name}: ${JSON.stringify(slope)}`)
  expect(slope.mib_per_1000).toBeLessThan(MOST_MIB)
})
