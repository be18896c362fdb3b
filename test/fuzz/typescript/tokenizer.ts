/** tokenizer.json with its companions: refused, or a tokenizer that encodes and decodes. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer } from '../../../lib/data/tokenizer.ts'
import { tinyTokenizerJson } from '../../data/tiny-tokenizer.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, mutateJsonText, mutateText, type Random, WORDS } from '../mutate.ts'

const words = [
  ...WORDS,
  'model',
  'vocab',
  'merges',
  'Regex',
  'String',
  '(a+)+$',
  '(?<=',
  '\\p{L}+',
  '.*',
]
const TOKENIZER = tinyTokenizerJson()
const CONFIG = {
  eos_token: '<|im_end|>',
  pad_token: { content: '<|endoftext|>' },
  chat_template: '{{ messages[0].content }}',
}
const GENERATION = { eos_token_id: [260, 258] }
const TEXTS = [
  'the thé 가나다 <think>x</think>',
  '123 \u0000 \ud800 ﬁ e\u0301',
  `${'a'.repeat(60)}!`,
]
let directory: string | undefined

export const target: FuzzTarget = {
  name: 'tokenizer',
  make(random: Random) {
    const which = random.below(8)
    const text = (changes: boolean, seed: unknown): string =>
      changes ? mutateJsonText(random, seed, words) : JSON.stringify(seed)
    const json = text(which < 5, TOKENIZER)
    return {
      tokenizer: which === 7 ? mutateBytes(random, Buffer.from(json), 1 << 20) : json,
      config: text(which === 5, CONFIG),
      generation: text(which === 6, GENERATION),
      text: mutateText(random, random.pick(TEXTS)),
    }
  },
  async run(input: { tokenizer: string; config: string; generation: string; text: string }) {
    directory ??= mkdtempSync(join(tmpdir(), 'kogrpo-fuzz-'))
    writeFileSync(join(directory, 'tokenizer.json'), input.tokenizer)
    writeFileSync(join(directory, 'tokenizer_config.json'), input.config)
    writeFileSync(join(directory, 'generation_config.json'), input.generation)
    const tokenizer = await Tokenizer.load(directory)
    const ids = tokenizer.encode(input.text)
    tokenizer.decode(ids, { skipSpecial: true })
    const stream = tokenizer.decodeStream()
    for (const id of ids) stream.push(id)
    stream.end()
  },
}
