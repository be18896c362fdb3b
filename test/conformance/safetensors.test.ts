import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { KogrpoError } from '../../lib/errors.ts'
import { readHeader } from '../../lib/model/safetensors.ts'
import { hasShared, shared, skipNote } from './shared.ts'

interface Case {
  id: string
  name: string
  file: string
  accept: boolean
  expect_tensors: Record<string, { dtype: string; shape: number[]; data_hex: string }> | null
}

const cases: Case[] = hasShared
  ? JSON.parse(readFileSync(shared('safetensors-conformance', 'cases.json'), 'utf8'))
  : []

describe.skipIf(!hasShared)(`safetensors conformance${skipNote}`, () => {
  it('has all 19 cases', () => {
    expect(cases).toHaveLength(19)
  })

  it.for(cases)('$id $name', async ({ file, accept, expect_tensors }) => {
    const target = shared('safetensors-conformance', file)
    if (!accept) {
      await expect(readHeader(target)).rejects.toBeInstanceOf(KogrpoError)
      return
    }
    const { tensors } = await readHeader(target)
    const bytes = await readFile(target)
    const found = [...tensors].map(([name, { dtype, shape, begin, end }]) => [
      name,
      { dtype, shape, data_hex: bytes.subarray(begin, end).toString('hex') },
    ])
    expect(Object.fromEntries(found)).toEqual(expect_tensors)
  })
})
