/** A few hundred cases of every TypeScript reader; `npm run fuzz -- NAME` runs 100,000. */
import { expect, test } from 'vitest'
import { fuzz } from './harness.ts'
import { TARGETS } from './targets.ts'

test.each(TARGETS)('$name', async target => {
  const { cases } = await fuzz(target, { cases: 300, seed: 20261123 })
  expect(cases).toBe(300)
})
