/** Headers of safetensors files: what is taken lies inside the file and tiles it. */
import assert from 'node:assert/strict'
import { encodeHeader, parseHeader } from '../../../lib/model/safetensors.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, mutateJsonText, type Random, WORDS } from '../mutate.ts'

const SEED = encodeHeader(
  [
    { name: 'a', dtype: 'F32', shape: [2, 3] },
    { name: '한', dtype: 'BF16', shape: [4] },
    { name: 'empty', dtype: 'U8', shape: [0, 7] },
  ],
  { format: 'pt' },
).subarray(8)
const DATA = 32

export const target: FuzzTarget = {
  name: 'safetensors',
  make(random: Random) {
    const json = random.chance(2)
      ? mutateBytes(random, SEED)
      : Buffer.from(
          mutateJsonText(random, JSON.parse(SEED.toString()), [
            ...WORDS,
            'data_offsets',
            '__metadata__',
          ]),
        )
    // Most of what is changed alters the size; the file's is then right by chance only.
    const fileSize = 8 + json.length + (random.chance(4) ? random.below(64) : DATA)
    return { json, fileSize }
  },
  run({ json, fileSize }: { json: Buffer; fileSize: number }) {
    const { tensors } = parseHeader(json, fileSize, 'f.safetensors')
    let next = 8 + json.length
    for (const { begin, end } of [...tensors.values()].sort(
      (a, b) => a.begin - b.begin || a.end - b.end,
    )) {
      assert.equal(begin, next)
      next = end
    }
    assert.equal(next, fileSize)
  },
}
