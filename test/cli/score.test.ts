import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ChatTemplate } from '../../lib/data/chat-template.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { readModelConfig } from '../../lib/model/config.ts'
import {
  kogrpo,
  type Row,
  readRows,
  temporaryDirectory,
  writeLines,
  writeModel,
} from './running.ts'

const directory = temporaryDirectory()
const model = writeModel(directory, 'model')
const padded = writeModel(directory, 'padded', { vocab_size: 1600 })

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await Tokenizer.load(model)
})

let files = 0
const path = (): string => join(directory, `file-${files++}.jsonl`)
const input = (...lines: (object | string)[]): string => writeLines(path(), lines)

async function run(command: string, file: string, ...more: string[]): Promise<Row[]> {
  const output = path()
  const args = ['--model', model, '--init', 'random', '--seed', '5', '--input', file]
  const { code, stderr } = await kogrpo([command, ...args, '--output', output, ...more])
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  return readRows(output)
}

const ids = (length: number, salt: number): number[] =>
  Array.from({ length }, (_, i) => (i * i * 7 + i * 13 + salt * 31) % 1000)

/** log softmax and entropy of one row of logits, in double precision. */
function reference(row: Float32Array, token: number, temperature: number) {
  const z = Array.from(row, x => x / temperature)
  const top = Math.max(...z)
  const sum = z.reduce((total, x) => total + Math.exp(x - top), 0)
  const logps = z.map(x => x - top - Math.log(sum))
  return { logprob: logps[token]!, entropy: -logps.reduce((h, lp) => h + Math.exp(lp) * lp, 0) }
}

describe('values', () => {
  test.each([1, 0.7])('are those of the logits in double precision, temperature %f', async t => {
    const tokens = ids(40, 3)
    const [row] = await run('score', input({ tokens }), '--temperature', String(t))
    const config = await readModelConfig(model)
    await using engine = await Engine.create({ config, init: { seed: 5, std: 0.2 } })
    const positions = Int32Array.from({ length: 39 }, (_, i) => i)
    const logits = await engine.logits(Int32Array.from(tokens), positions)
    const entropies = row!.entropies as (number | null)[]
    expect([row!.logprobs[0], entropies[0]]).toEqual([null, null])
    expect([row!.logprobs.length, entropies.length]).toEqual([40, 40])
    for (let i = 1; i < 40; i++) {
      const { logprob, entropy } = reference(
        logits.subarray((i - 1) * 1024, i * 1024),
        tokens[i]!,
        t,
      )
      expect(Math.abs(row!.logprobs[i]! - logprob)).toBeLessThan(1e-5 * Math.abs(logprob))
      expect(Math.abs(entropies[i]! - entropy)).toBeLessThan(1e-5 * Math.abs(entropy))
    }
  })

  test('do not depend on packing or threads', async () => {
    const file = input(...[1, 7, 64, 33, 2, 150].map((n, i) => ({ tokens: ids(n, i), n })))
    const rows = await run('score', file)
    expect(rows.map(row => [row.index, row.n, row.logprobs.length])).toEqual(
      [1, 7, 64, 33, 2, 150].map((n, i) => [i, n, n]),
    )
    expect(rows[0]).toMatchObject({ logprobs: [null], entropies: [null] })
    expect(await run('score', file, '--batch-tokens', '1', '--threads', '1')).toEqual(rows)
    expect(await run('score', file, '--batch-tokens', '70')).toEqual(rows)
  })

  test('of messages, of a prompt with its completion, and of text', async () => {
    const messages = [
      { role: 'user', content: '3 더하기 4는?' },
      { role: 'assistant', content: '<think>\n3+4=7\n</think>\n\n7' },
    ]
    const [chat, pair, text] = await run(
      'score',
      input(
        { messages },
        { prompt: messages[0]!.content, completion: messages[1]!.content },
        { text: '열둘' },
      ),
    )
    const { ids: expected } = new ChatTemplate(tokenizer).renderChat(messages)
    expect(chat!.tokens).toEqual(expected)
    expect(pair).toMatchObject({ tokens: expected, logprobs: chat!.logprobs })
    expect(text!.tokens).toEqual(tokenizer.encode('열둘'))
    const [again] = await run('score', input({ tokens: expected }))
    expect(again!.logprobs).toEqual(chat!.logprobs)
  })
})

describe('the sampler and the scorer agree to the bit', () => {
  const prompts = [
    { prompt: '사과 3개에 2천 원이면 9개는 얼마예요?' },
    { prompt: 'Share 12 pens among 4.' },
    { tokens: [1, 2, 3] },
  ]
  const sampling = ['--max-new-tokens', '40', '--num-generations', '4']

  test.each([
    ['the miniature', 'builtin:mini', '1', 'full'],
    ['the miniature, cooler', 'builtin:mini', '0.6', 'full'],
    ['two layers', model, '1.3', 'full'],
    ['a padded vocabulary', padded, '1', 'tokenizer'],
  ])('%s', async (_name, directory, temperature, vocab) => {
    const options = ['--model', directory, '--temperature', temperature]
    const file = input(...prompts)
    const generated = await run('generate', file, ...options, ...sampling)
    const written = writeLines(path(), generated)
    const scored = await run('score', written, ...options, '--vocab', vocab)
    expect(scored.map(row => row.tokens)).toEqual(generated.map(row => row.tokens))
    expect(scored.map(row => row.logprobs)).toEqual(generated.map(row => row.logprobs))
    expect(scored.flatMap(row => row.logprobs).length).toBeGreaterThan(100)

    // The same ids as one list of tokens: null first, and the same values behind the prompt.
    const lists = generated.map(row => [...(row.prompt_ids as number[]), ...row.tokens])
    const plain = input(...lists.map(tokens => ({ tokens })))
    const whole = await run('score', plain, ...options, '--vocab', vocab)
    for (const [i, row] of whole.entries()) {
      expect(row.logprobs[0]).toBeNull()
      expect(row.logprobs.slice(generated[i]!.prompt_tokens as number)).toEqual(
        generated[i]!.logprobs,
      )
    }
  })

  test('the whole of a padded vocabulary leaves less for each token', async () => {
    const generated = await run('generate', input(...prompts), '--model', padded, ...sampling)
    const scored = await run('score', writeLines(path(), generated), '--model', padded)
    const pairs = scored.flatMap((row, i) =>
      row.logprobs.map((x, t) => [x!, generated[i]!.logprobs[t]!] as const),
    )
    expect(pairs.every(([full, sampled]) => full < sampled)).toBe(true)
  })
})

describe('errors', () => {
  test.each([
    [{ tokens: [3, 1024] }, [], ':2: "tokens"[1] is 1024; expected a token id below 1024\n'],
    [
      { tokens: [3, 1100] },
      ['--model', padded, '--vocab', 'tokenizer'],
      ':2: "tokens"[1] is 1100; expected a token id below 1024 (--vocab full allows all of the model)',
    ],
    [{ tokens: [] }, [], ':2: "tokens" is empty; there is nothing to score'],
    [{ text: '' }, [], ':2: the text is empty; there is nothing to score'],
    [{ messages: 'hi' }, [], ':2: column "messages" is not a list of messages'],
    [{}, [], ':2: no "messages", "prompt" or "text"'],
  ])('%j %j', async (line, more, message) => {
    const file = input({ tokens: [1, 2] }, line)
    const args = [
      'score',
      '--model',
      model,
      '--init',
      'random',
      '--input',
      file,
      '--output',
      path(),
    ]
    const { code, stderr } = await kogrpo([...args, ...more])
    expect([code, stderr]).toEqual([1, expect.stringContaining(`kogrpo: ${file}${message}`)])
  })

  test('a temperature of 0 and an unknown vocabulary', async () => {
    const args = ['score', '--model', model, '--input', input({}), '--output', path()]
    const cold = await kogrpo([...args, '--temperature', '0'])
    expect([cold.code, cold.stderr]).toEqual([2, expect.stringContaining('above 0, got "0"')])
    const vocab = await kogrpo([...args, '--vocab', 'tokeniser'])
    expect(vocab.stderr).toContain('did you mean "tokenizer"?')
  })
})
