import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { describe, expect, it } from 'vitest'
import {
  byteAlphabet,
  preTokenize,
  tokenizerConfig,
  tokenizerJson,
  trainBpe,
} from '../../lib/data/bpe-trainer.ts'

const qwen3 = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'qwen3')

describe('trainBpe', () => {
  it('merges the most frequent pair first, ties by the smaller ids', () => {
    // Worked by hand: "ab" 5 times, then "cd" and "ef" twice each (c before e), then "abcd" twice.
    const { merges, symbols } = trainBpe(['ab.ab.ab.abcd.abcd.ef.ef'.replaceAll('.', '\n')], 4)
    expect(merges).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'f'],
      ['ab', 'cd'],
    ])
    expect(symbols.slice(256)).toEqual(['ab', 'cd', 'ef', 'abcd'])
  })

  it('counts a run of equal symbols as merging would use it', () => {
    const { merges } = trainBpe(['aaaa\naaaa\naaaa'], 2)
    expect(merges).toEqual([
      ['a', 'a'],
      ['aa', 'aa'],
    ])
  })

  it('never merges across words or digits', () => {
    const { symbols } = trainBpe(['12 12 12 12 사과 사과 사과'], 6)
    for (const symbol of symbols.slice(256)) expect(symbol).not.toMatch(/\d/)
  })

  it('says when the texts are too small', () => {
    expect(() => trainBpe(['ab ab'], 50)).toThrow(/only 1 merges of 50/)
  })

  it('splits words as Qwen3 does', () => {
    expect(preTokenize("사과 12개, it's\n\n x")).toEqual([
      '사과',
      ' ',
      '1',
      '2',
      '개',
      ',',
      ' it',
      "'s",
      '\n\n',
      ' x',
    ])
    expect(preTokenize('e\u0301')).toEqual(['\u00e9'])
  })

  it('knows a bijective byte alphabet', () => {
    const alphabet = byteAlphabet()
    expect(new Set(alphabet.map(([byte]) => byte)).size).toBe(256)
    expect(new Set(alphabet.map(([, symbol]) => symbol)).size).toBe(256)
    expect(alphabet[0]).toEqual([33, '!'])
    expect(alphabet.find(([byte]) => byte === 32)![1]).toBe('Ġ')
  })

  it('makes a tokenizer that the library loads and that inverts', () => {
    const bpe = trainBpe(Array(3).fill('가나다라 가나다 abc abc abcd 12'), 14)
    const config = tokenizerConfig(bpe.symbols.length, '', 64)
    const tokenizer = new Tokenizer(JSON.parse(JSON.stringify(tokenizerJson(bpe))), config)
    const text = '<think>\n가나다라 abc 12\n</think>마'
    const { ids } = tokenizer.encode(text, { add_special_tokens: false })
    expect(ids[0]).toBe(270 + 24)
    expect(tokenizer.decode(ids, { skip_special_tokens: false })).toBe(text)
  })

  it.skipIf(!existsSync(qwen3))(
    'has the structure of the real tokenizer (skipped: no shared data)',
    () => {
      const real = JSON.parse(readFileSync(join(qwen3, 'tokenizer.json'), 'utf8'))
      const bpe = trainBpe(['ab ab'], 1)
      const own = JSON.parse(JSON.stringify(tokenizerJson(bpe)))
      const shift = real.added_tokens[0].id - own.added_tokens[0].id
      expect(Object.keys(own)).toEqual(Object.keys(real))
      const shifted = own.added_tokens.map((token: { id: number }) => ({
        ...token,
        id: token.id + shift,
      }))
      expect(shifted).toEqual(real.added_tokens)
      expect({ ...own, added_tokens: 0, model: { ...own.model, vocab: 0, merges: 0 } }).toEqual({
        ...real,
        added_tokens: 0,
        model: { ...real.model, vocab: 0, merges: 0 },
      })
      const base = Object.entries(real.model.vocab as Record<string, number>)
      const first = base.filter(([, id]) => id < 256).sort((a, b) => a[1] - b[1])
      expect(bpe.symbols.slice(0, 256)).toEqual(first.map(([symbol]) => symbol))
      const realConfig = JSON.parse(readFileSync(join(qwen3, 'tokenizer_config.json'), 'utf8'))
      const ownConfig = tokenizerConfig(real.added_tokens[0].id, realConfig.chat_template, 131_072)
      expect(ownConfig).toEqual(realConfig)
    },
  )
})
