import { beforeAll, describe, expect, it } from 'vitest'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { hasShared, shared, sharedRecords, skipNote } from './shared.ts'

interface Case {
  id: string
  text: string
  ids: number[]
}

describe.skipIf(!hasShared)(`tokenizer conformance${skipNote}`, () => {
  let tokenizer: Tokenizer
  beforeAll(async () => {
    tokenizer = await Tokenizer.load(shared('qwen3'))
  })

  it('knows its size and where a turn ends', () => {
    expect(tokenizer.size).toBe(151_669)
    expect(tokenizer.eosIds).toEqual([151_645, 151_643])
    expect(tokenizer.padId).toBe(151_643)
    expect(tokenizer.isSpecial(151_645)).toBe(true)
    expect(tokenizer.isSpecial(151_667)).toBe(false)
  })

  it.each([
    ['llamacpp_qwen2_cases.jsonl', 43],
    ['hf_tokenizers_dev.jsonl', 810],
  ])('gives the recorded ids: %s', (file, count) => {
    const cases = sharedRecords<Case>('tokenizer-parity', file)
    expect(cases).toHaveLength(count)
    for (const { id, text, ids } of cases) {
      expect(tokenizer.encode(text), id).toEqual(ids)
      // A second time from the word cache.
      expect(tokenizer.encode(text), id).toEqual(ids)
      expect(tokenizer.decode(ids), id).toBe(text.normalize('NFC'))
    }
  })

  it('parses special tokens in the text and adds none', () => {
    expect(tokenizer.encode('<|im_start|>user\n<think>')).toEqual([151644, 872, 198, 151667])
    expect(tokenizer.encode('')).toEqual([])
  })

  it('normalises as the model was trained: NFD Korean gives the ids of NFC', () => {
    const text = '한국어로 생각한다'
    expect(text.normalize('NFD')).not.toBe(text)
    expect(tokenizer.encode(text.normalize('NFD'))).toEqual(tokenizer.encode(text))
  })

  it('streams text only in whole characters', () => {
    const text = '뷁쀍 👩‍👩‍👧‍👦 셤𠮷'
    const ids = tokenizer.encode(text)
    const stream = tokenizer.decodeStream()
    const parts = ids.map(id => stream.push(id))
    expect(parts.some(part => part === '')).toBe(true)
    expect(parts.join('')).not.toContain('\ufffd')
    expect(parts.join('') + stream.end()).toBe(text)
    const cut = tokenizer.decodeStream()
    const unfinished = ids.slice(0, parts.indexOf('') + 1).map(id => cut.push(id))
    expect(unfinished.join('') + cut.end()).toMatch(/^[^\ufffd]*\ufffd$/)
  })

  it('leaves out special tokens on request, and keeps a byte-order mark', () => {
    const ids = tokenizer.encode('\ufeff<think>a</think><|im_end|>\n')
    expect(tokenizer.decode(ids)).toBe('\ufeff<think>a</think><|im_end|>\n')
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe('\ufeff<think>a</think>\n')
  })

  it('refuses ids that do not exist', () => {
    expect(() => tokenizer.decode([151_669])).toThrow(/151669 does not exist.*ids below 151669/)
    expect(() => tokenizer.decode([-1])).toThrow(/does not exist/)
    expect(() => tokenizer.decode([0.5])).toThrow(/does not exist/)
  })
})
