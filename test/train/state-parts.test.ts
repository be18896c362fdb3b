/** Which files a saved state consists of, by what lies there. */
import { expect, test } from 'vitest'
import { partsOf } from '../../lib/train/state-parts.ts'

test('a state is one file, or all parts that its names tell of', () => {
  expect(partsOf('engine.bin', ['state.json', 'engine.bin'])).toEqual(['engine.bin'])
  expect(partsOf('engine.bin', ['state.json'])).toEqual(['engine.bin'])
  const parts = ['engine.bin.1-of-3', 'engine.bin.2-of-3', 'engine.bin.3-of-3']
  expect(partsOf('engine.bin', [...parts].reverse())).toEqual(parts)
  // The missing one is wanted, so that verification names it.
  expect(partsOf('engine.bin', [parts[0]!, parts[2]!])).toEqual(parts.slice(0, 2))
})

test('a name that says two thousand million parts asks for one more than there are', () => {
  expect(partsOf('engine.bin', ['engine.bin.1-of-2000000000'])).toEqual([
    'engine.bin.1-of-2000000000',
    'engine.bin.2-of-2000000000',
  ])
})
