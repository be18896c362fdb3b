import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { describe, expect, it } from 'vitest'
import { generateProblem } from '../../lib/mini/problems.ts'
import { MINI_VOCAB_SIZE, miniTokenizerFiles } from '../../lib/mini/tokenizer.ts'

const assets = join(import.meta.dirname, '..', '..', 'assets', 'mini')
const read = (name: string): string => readFileSync(join(assets, name), 'utf8')
const tokenizer = new Tokenizer(
  JSON.parse(read('tokenizer.json')),
  JSON.parse(read('tokenizer_config.json')),
)
const encode = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids

describe('assets/mini', () => {
  it('is remade byte for byte', () => {
    const files = miniTokenizerFiles(read('chat_template.jinja'))
    expect(Object.keys(files).sort()).toEqual([
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    for (const [name, text] of Object.entries(files)) expect(text === read(name), name).toBe(true)
  })

  it('has a vocabulary of exactly the model, ending in the added tokens', () => {
    const json = JSON.parse(read('tokenizer.json'))
    const config = JSON.parse(read('config.json'))
    expect(MINI_VOCAB_SIZE % 16).toBe(0)
    expect(config.vocab_size).toBe(MINI_VOCAB_SIZE)
    expect(Object.keys(json.model.vocab)).toHaveLength(MINI_VOCAB_SIZE - 26)
    expect(json.added_tokens.at(-1)).toMatchObject({ id: MINI_VOCAB_SIZE - 1, content: '</think>' })
    expect(encode('<|im_end|>')).toEqual([config.eos_token_id])
    expect(encode('<|endoftext|>')).toEqual([config.bos_token_id])
  })

  it('gives every digit a token of its own', () => {
    for (let digit = 0; digit < 10; digit++) expect(encode(String(digit))).toHaveLength(1)
    expect(encode('12345원')).toHaveLength(6)
  })

  it('round-trips every text, within the bounds on length', () => {
    const lengths: number[] = []
    const broken: string[] = []
    for (let seed = 0; seed < 5000; seed++) {
      const { question, korean, english } = generateProblem(seed, { noise: 0.1, terse: 0.2 })
      const count = (text: string): number => {
        const ids = encode(text)
        if (tokenizer.decode(ids) !== text || Math.max(...ids) >= MINI_VOCAB_SIZE) broken.push(text)
        return ids.length
      }
      const thinking = Math.max(count(korean.thinking), count(english.thinking))
      lengths.push(count(question) + thinking + count(korean.answer))
    }
    expect(broken).toEqual([])
    lengths.sort((a, b) => a - b)
    expect(lengths[Math.floor(lengths.length * 0.99)]).toBeLessThanOrEqual(220)
    expect(lengths.at(-1)).toBeLessThanOrEqual(240)
  })

  it('round-trips text it was not trained on', () => {
    for (const text of ['안녕하세요, 뷁!', "漢字 🙂 don'T", 'a\n\n b\t c', '```js\nx\n```']) {
      expect(tokenizer.decode(encode(text))).toBe(text.normalize('NFC'))
    }
  })
})
