/** The tiny tokenizer (all 256 bytes) with a few tokens that smoothing tells apart. */
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { PLAIN_TEMPLATE, writeTinyTokenizer } from '../data/tiny-tokenizer.ts'

/** Tokens by id from 263 on; arrays are bytes of unfinished characters. */
export const TOKENS: readonly (string | number[])[] = [
  '的', // 263
  '「', // 264
  '한국', // 265
  '㈜', // 266
  [0xe4, 0xb8], // 267: 一 … 丿
  [0xea, 0xb0], // 268: 가 …
  '。', // 269
  '韓', // 270
  ' 我们', // 271
  '㎏', // 272
]
export const FIRST_ID = 263
export const VOCAB = FIRST_ID + TOKENS.length

/** GPT-2's character for a byte. */
function byteCharacter(byte: number): string {
  const printable = (b: number): boolean => (b >= 33 && b <= 126) || (b >= 161 && b !== 173)
  if (printable(byte)) return String.fromCodePoint(byte)
  const before = Array.from({ length: byte }, (_, b) => b).filter(b => !printable(b)).length
  return String.fromCodePoint(256 + before)
}

export async function smoothTokenizerDirectory(): Promise<string> {
  return await writeTinyTokenizer(PLAIN_TEMPLATE, json => {
    const { vocab } = json.model as { vocab: Record<string, number> }
    TOKENS.forEach((token, i) => {
      const bytes = typeof token === 'string' ? Buffer.from(token) : token
      vocab[[...bytes].map(byteCharacter).join('')] = FIRST_ID + i
    })
  })
}

export async function smoothTokenizer(): Promise<Tokenizer> {
  return await Tokenizer.load(await smoothTokenizerDirectory())
}
