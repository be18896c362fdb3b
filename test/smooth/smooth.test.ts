import { beforeAll, describe, expect, it } from 'vitest'
import { type SmoothSettings, smooth as schema } from '../../lib/config/schema/smooth.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { CHINESE_BLOCKS, CharacterSet, KOREAN_SYMBOLS } from '../../lib/smooth/characters.ts'
import { BrokenTokens } from '../../lib/smooth/risk.ts'
import { type Smoothing, scaleOfRisk, smoothVocabulary } from '../../lib/smooth/smooth.ts'
import { NONE, reachable, START, step } from '../../lib/smooth/utf8.ts'
import { hasShared, shared, skipNote } from '../conformance/shared.ts'
import { smoothTokenizer, VOCAB } from './vocabulary.ts'

const settings = (changes: Partial<SmoothSettings> = {}): SmoothSettings => schema.parse(changes)
const code = (character: string): number => character.codePointAt(0)!

describe('character sets', () => {
  it('has the published blocks, without the symbols of Korean text', () => {
    const published = new CharacterSet(CHINESE_BLOCKS)
    const target = published.without(KOREAN_SYMBOLS)
    for (const c of '「」『』〈〉《》【】〔〕〜㈜㈀㉠㉿㎏㎡㎝㏄㏊①한ㄱABC ') {
      expect(target.has(code(c)), c).toBe(false)
    }
    for (const c of '「㈜㎏㉠') expect(published.has(code(c)), c).toBe(true)
    for (const c of '的一鿿韓々〇。、㊗㍿㌔㋡⼀豈𠀀') expect(target.has(code(c)), c).toBe(true)
    expect(published.has(0x3000)).toBe(false)
  })

  it('overlaps and subtracts', () => {
    const set = new CharacterSet([
      [20, 30],
      [10, 12],
      [13, 15],
    ])
    expect([9, 10, 15, 16, 19, 20, 30, 31].map(c => set.has(c))).toEqual([
      false,
      true,
      true,
      false,
      false,
      true,
      true,
      false,
    ])
    expect([set.overlaps(16, 19), set.overlaps(0, 9), set.overlaps(16, 40)]).toEqual([
      false,
      false,
      true,
    ])
    const less = set.without([
      [12, 22],
      [25, 25],
    ])
    expect([11, 12, 22, 23, 24, 25, 26].map(c => less.has(c))).toEqual([
      true,
      false,
      false,
      true,
      true,
      false,
      true,
    ])
  })
})

/** Characters that the automaton completes. */
function characters(bytes: Iterable<number>): string {
  let state = START
  let text = ''
  for (const byte of bytes) {
    const [next, character] = step(state, byte)
    if (character !== NONE) text += String.fromCodePoint(character)
    state = next
  }
  return text
}

/** A generator of bytes that are often, and often not, UTF-8. */
function* bytesFrom(seed: number): Generator<number> {
  const likely = [
    0x41, 0xe4, 0xb8, 0x80, 0xed, 0xf0, 0xa0, 0xbf, 0xe0, 0xf4, 0x8f, 0xc2, 0xff, 0xea,
  ]
  for (let x = seed; ; ) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    yield (x & 0x300) !== 0 ? likely[(x >>> 10) % likely.length]! : x >>> 24
  }
}

describe('utf-8 automaton', () => {
  it('completes the characters that a lossy decoder finds, in 20,000 random byte strings', () => {
    const source = bytesFrom(7)
    for (let i = 0; i < 20_000; i++) {
      const bytes = Array.from({ length: 8 }, () => source.next().value as number)
      const decoded = new TextDecoder('utf-8', { ignoreBOM: true })
        .decode(Uint8Array.from(bytes))
        .replaceAll('\u{fffd}', '')
      expect(characters(bytes).replaceAll('\u{fffd}', '')).toBe(decoded)
    }
  })

  it('knows what an unfinished character can become', () => {
    expect(reachable(0xe4b8)).toEqual([0x4e00, 0x4e3f])
    expect(reachable(0xe4)).toEqual([0x4000, 0x4fff])
    expect(reachable(0xe0)).toEqual([0x800, 0xfff])
    expect(reachable(0xed)).toEqual([0xd000, 0xd7ff])
    expect(reachable(0xf0)).toEqual([0x10000, 0x3ffff])
    expect(reachable(0xf4)).toEqual([0x100000, 0x10ffff])
    expect(reachable(0xf0a0)).toEqual([0x20000, 0x20fff])
    expect(reachable(0xc3)).toEqual([0xc0, 0xff])
  })
})

describe('risk of broken tokens', () => {
  it('is the share among all sequences, counted one by one', () => {
    const target = new CharacterSet(CHINESE_BLOCKS)
    const hex = [
      'e4',
      'b8',
      '80',
      'e4b8',
      'eab0',
      'f0a0',
      '20e7',
      '9a84',
      'e79a84e4',
      'ed',
      'efbfbd',
      'f098',
    ]
    const tokens = hex.map(text => Uint8Array.from(Buffer.from(text, 'hex')))
    const model = new BrokenTokens(tokens, target)
    const writes = (...parts: Uint8Array[]): number =>
      [...new TextDecoder().decode(Buffer.concat(parts))].some(c => target.has(code(c))) ? 1 : 0
    for (const t of tokens) {
      const counts = [0, 0, 0]
      for (const a of tokens) {
        counts[0]! += writes(t, a)
        for (const b of tokens) {
          counts[1]! += writes(t, a, b)
          for (const c of tokens) counts[2]! += writes(t, a, b, c)
        }
      }
      const probabilities = model.probabilities(t, 4)
      counts.forEach((n, i) => {
        expect(probabilities[i]).toBeCloseTo(n / tokens.length ** (i + 1), 12)
      })
    }
    expect(hex.filter((_, i) => model.canBegin(tokens[i]!))).toEqual(['e4', 'e4b8', 'f0a0', '20e7'])
  })

  it('scales by the published curve', () => {
    expect([-1, 0, 1, 2].map(r => scaleOfRisk(r, 0.5, 10))).toEqual([1, 1, 0.5, 0.5])
    expect(scaleOfRisk(0.5, 0.5, 10)).toBeCloseTo(1 - (0.5 * Math.log(5.5)) / Math.log(10), 15)
    expect(scaleOfRisk(0.2, 0.3, 4)).toBeCloseTo(1 - (0.7 * Math.log(1.6)) / Math.log(4), 15)
  })
})

describe('smoothing a vocabulary', () => {
  let tokenizer: Tokenizer
  let plain: Smoothing
  beforeAll(async () => {
    tokenizer = await smoothTokenizer()
    plain = smoothVocabulary(tokenizer, VOCAB + 7, settings())
  })
  const ids = (tokens: { id: number }[]): number[] => tokens.map(({ id }) => id)

  it('scales Chinese tokens to min_scale and leaves Korean ones alone', () => {
    expect(ids(plain.chinese)).toEqual([263, 269, 270, 271])
    expect(plain.kept).toEqual([264, 266, 272])
    expect(plain.scale).toHaveLength(VOCAB + 7)
    for (const id of [263, 269, 270, 271]) expect(plain.scale[id]).toBe(0.5)
    for (const id of [264, 265, 266, 268, 272, 258, 260, VOCAB, VOCAB + 6]) {
      expect(plain.scale[id], `${id}`).toBe(1)
    }
  })

  it('scales broken tokens that begin a Chinese character by their risk, and only these', () => {
    // The bytes that begin one, E2 … E9 without E0, E1, then EF and F0, and the token E4 B8.
    const broken = ids(plain.broken)
    expect(broken.map(id => Buffer.from(tokenizer.bytesOf(id)).toString('hex'))).toEqual([
      ...Array.from({ length: 8 }, (_, i) => `e${2 + i}`),
      'ef',
      'f0',
      'e4b8',
    ])
    for (const { id, scale } of plain.broken) {
      expect(scale).toBeGreaterThan(0.5)
      expect(scale).toBeLessThan(1)
      expect(plain.scale[id]).toBe(Math.fround(scale))
    }
    // One byte from a character is riskier than two.
    expect(plain.scale[267]).toBeLessThan(plain.scale[broken[2]!]!)
  })

  it('follows every setting', () => {
    const at = (changes: Partial<SmoothSettings>): Smoothing =>
      smoothVocabulary(tokenizer, VOCAB, settings(changes))
    expect(at({ min_scale: 0.2 }).scale[263]).toBe(Math.fround(0.2))
    expect(at({ gamma: 100 }).scale[267]).toBeLessThan(plain.scale[267]!)
    expect(at({ ngram_weights: [1] }).scale[267]).toBeGreaterThan(plain.scale[267]!)
    expect(at({ ngram_weights: [5, 3, 2] }).scale[267]).toBe(plain.scale[267])
    expect(ids(at({ keep: '韓的' }).chinese)).toEqual([269, 271])
    expect(at({ keep: '韓的' }).kept).toEqual([263, 264, 266, 270, 272])
    const published = at({ keep_korean: false })
    expect(ids(published.chinese)).toEqual([263, 264, 266, 269, 270, 271, 272])
    expect(published.brokenKept).toBe(0)
    // As published, half a Hangul syllable is scaled for what its neighbours write.
    expect(published.scale[268]).toBeLessThan(1)
  })

  it('refuses settings out of range', () => {
    for (const bad of [
      { min_scale: 0 },
      { min_scale: 1.1 },
      { gamma: 1 },
      { ngram_weights: [] },
      { ngram_weights: [0, 0] },
      { ngram_weights: [1, 1, 1, 1] },
      { ngram_weights: [-1] },
      { minscale: 0.5 },
    ]) {
      expect(schema.safeParse(bad).success, JSON.stringify(bad)).toBe(false)
    }
  })
})

describe.skipIf(!hasShared)(`Qwen3's vocabulary${skipNote}`, () => {
  it('has the published 26,153 target and 1,457 broken tokens, and leaves Korean alone', async () => {
    const tokenizer = await Tokenizer.load(shared('qwen3'))
    const published = smoothVocabulary(tokenizer, 151936, settings({ keep_korean: false }))
    expect(published.chinese).toHaveLength(26153)
    // 46 broken tokens have a target character as well.
    expect(published.broken).toHaveLength(1457 - 46)
    expect(published.kept).toEqual([])

    const smoothing = smoothVocabulary(tokenizer, 151936, settings())
    expect(smoothing.chinese.length + smoothing.kept.length).toBe(26153)
    const korean =
      '「삼성」(㈜)의 『매출』은 15만원, 무게 3㎏, 넓이 84㎡, 〈표 1〉 ㉠ 값을 구하시오. 뷁쀍'
    for (const id of tokenizer.encode(korean)) {
      expect(smoothing.scale[id], tokenizer.decode([id])).toBe(1)
    }
    for (const id of tokenizer.encode('我们需要计算苹果的价格'))
      expect(smoothing.scale[id]).toBe(0.5)
    // E4 B8 is one byte from 一 … 丿.
    const prefix = tokenizer.tokenId('ä¸')!
    expect(Buffer.from(tokenizer.bytesOf(prefix)).toString('hex')).toBe('e4b8')
    expect(smoothing.scale[prefix]).toBeGreaterThan(0.75)
    expect(smoothing.scale[prefix]).toBeLessThan(0.9)
  })
})
