import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { ChatTemplate } from '../../lib/data/chat-template.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import {
  kogrpo,
  type Row,
  readRows,
  rowsOf,
  start,
  temporaryDirectory,
  writeLines,
  writeModel,
} from './running.ts'

const directory = temporaryDirectory()
const model = writeModel(directory, 'model')
const padded = writeModel(directory, 'padded', { vocab_size: 1600 })
const output = join(directory, 'out.jsonl')

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await Tokenizer.load(model)
})

let files = 0
const input = (...lines: (object | string)[]): string =>
  writeLines(join(directory, `in-${files++}.jsonl`), lines)

const base = ['generate', '--init', 'random', '--max-new-tokens', '12', '--seed', '9']

async function generate(file: string, ...more: string[]): Promise<Row[]> {
  const args = [...base, '--model', model, '--input', file, '--output', output, ...more]
  const { code, stderr } = await kogrpo(args)
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  return readRows(output)
}

const question = '사과 3개에 2천 원이면 9개는 얼마예요?'
const messages = [
  { role: 'system', content: '짧게 답하세요.' },
  { role: 'user', content: question },
]
const mixed = [
  { prompt: question, answer: 6000 },
  { messages, level: 'b' },
  { tokens: [5, 6, 7, 8], level: 'c' },
  { prompt: messages.slice(1) },
]

describe('output', () => {
  test('prompts, messages and tokens become rows in the order of the lines', async () => {
    const rows = await generate(input(...mixed))
    expect(rows.map(({ index }) => index)).toEqual([0, 1, 2, 3])
    expect(rows[0]).toMatchObject({ prompt: question, answer: 6000 })
    expect(rows[1]).toMatchObject({ messages, level: 'b' })
    const template = new ChatTemplate(tokenizer)
    const rendered = [messages.slice(1), messages].map(
      m => template.renderChat(m, { addGenerationPrompt: true }).ids,
    )
    expect(rows.map(row => row.prompt_ids)).toEqual([
      rendered[0],
      rendered[1],
      [5, 6, 7, 8],
      rendered[0],
    ])
    for (const row of rows) {
      expect(row.prompt_tokens).toBe((row.prompt_ids as number[]).length)
      expect(row.tokens.length).toBeGreaterThan(0)
      expect(row.logprobs).toHaveLength(row.tokens.length)
      expect(row.logprobs.every(x => x !== null && x < 0 && Math.fround(x) === x)).toBe(true)
      expect(row.text).toBe(tokenizer.decode(row.tokens, { skipSpecial: true }))
      const stopped = tokenizer.eosIds.includes(row.tokens.at(-1)!)
      expect(row.finish_reason).toBe(stopped ? 'stop' : 'length')
      if (!stopped) expect(row.tokens).toHaveLength(12)
    }
    // One prompt twice has two completions: every line has noise of its own.
    expect(rows[3]!.tokens).not.toEqual(rows[0]!.tokens)
  })

  test('stdin to stdout, nothing else on stdout', async () => {
    const rows = await generate(input(...mixed))
    const args = [...base, '--model', model, '--input', '-', '--output', '-']
    const { code, stdout } = await kogrpo(args, mixed.map(x => JSON.stringify(x)).join('\n'))
    expect(code).toBe(0)
    expect(rowsOf(stdout)).toEqual(rows)
  })

  test('several completions of a line are adjacent and numbered', async () => {
    const one = await generate(input(...mixed))
    const three = await generate(input(...mixed), '--num-generations', '3')
    expect(three.map(({ index, generation }) => [index, generation])).toEqual(
      [0, 1, 2, 3].flatMap(i => [0, 1, 2].map(g => [i, g])),
    )
    // Streams are i · n + g: the first three are those of the first three lines alone.
    expect(three[0]!.tokens).toEqual(one[0]!.tokens)
    const same = await generate(input(mixed[0]!, mixed[0]!, mixed[0]!))
    expect(three.slice(0, 3).map(row => row.tokens)).toEqual(same.map(row => row.tokens))
    expect(new Set(same.map(row => row.tokens.join())).size).toBe(3)
  })

  test('columns of the input that rows replace are told', async () => {
    const file = input({ tokens: [1, 2], index: 7, text: 'x' })
    const args = [...base, '--model', model, '--input', file, '--output', output]
    const { stderr } = await kogrpo(args)
    expect(stderr).toContain('; replaced columns of the input: index, text\n')
    expect(readRows(output)[0]).toMatchObject({ index: 0, prompt_ids: [1, 2] })
  })

  test('an empty file gives an empty file', async () => {
    const file = input('')
    const args = [...base, '--model', model, '--input', file, '--output', output]
    expect((await kogrpo(args)).code).toBe(0)
    expect(readFileSync(output, 'utf8')).toBe('')
  })
})

describe('what a completion depends on', () => {
  test('not on batches, threads, or the content of other lines', async () => {
    const lines = Array.from({ length: 11 }, (_, i) => ({ tokens: [i + 1, 2 * i + 7, 30] }))
    const rows = await generate(input(...lines))
    expect(await generate(input(...lines), '--max-sequences', '1', '--threads', '1')).toEqual(rows)
    const others = lines.map((line, i) => (i === 6 ? line : { prompt: `${i}` }))
    expect((await generate(input(...others)))[6]).toEqual(rows[6])
  })

  test('on the seed, and a line may have sampling of its own', async () => {
    const line = { tokens: [4, 5, 6] }
    const [row] = await generate(input(line))
    const [other] = await generate(input(line), '--top-k', '0')
    expect(other).toEqual(row)
    const greedy = await generate(input(line, line), '--temperature', '0')
    expect(greedy[0]!.tokens).toEqual(greedy[1]!.tokens)
    const sampling = { temperature: 0, max_new_tokens: 5 }
    const [, own] = await generate(input(line, { ...line, sampling }))
    expect(own!.tokens).toEqual(greedy[1]!.tokens.slice(0, 5))
    expect(own!.sampling).toEqual(sampling)
    const [first] = await generate(input(line), '--top-k', '1')
    expect(first!.tokens).toEqual(greedy[0]!.tokens)
    expect(first!.logprobs).toEqual(first!.tokens.map(() => 0))
  })

  test('thinking and the system message are passed to the template', async () => {
    const thinking = async (...more: string[]) => {
      const [row] = await generate(input({ prompt: 'q' }), ...more)
      return tokenizer.decode(row!.prompt_ids as number[])
    }
    const plain = await thinking()
    expect(plain).toMatch(/<\|im_start\|>assistant\n$/)
    expect(await thinking('--enable-thinking')).toBe(plain)
    expect(await thinking('--no-enable-thinking')).toBe(`${plain}<think>\n\n</think>\n\n`)
    expect(await thinking('--system', '한국어로')).toBe(
      `<|im_start|>system\n한국어로<|im_end|>\n${plain}`,
    )
  })

  test('ids that the tokenizer does not have are never sampled', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => ({ tokens: [i + 1] }))
    const rows = await generate(
      input(...lines),
      ...['--model', padded, '--max-new-tokens', '60', '--temperature', '50'],
    )
    const ids = rows.flatMap(row => row.tokens)
    expect(ids.length).toBeGreaterThan(1000)
    expect(Math.max(...ids)).toBeLessThan(tokenizer.size)
  })

  test("the model's context ends a completion", async () => {
    const [row] = await generate(
      input({ tokens: Array.from({ length: 250 }, (_, i) => i) }),
      ...['--max-new-tokens', '99', '--temperature', '0'],
    )
    expect([row!.tokens.length, row!.finish_reason]).toEqual([6, 'length'])
  })
})

describe('errors', () => {
  const failing = async (file: string, ...more: string[]) => {
    const out = join(directory, 'never.jsonl')
    const args = [...base, '--model', model, '--input', file, '--output', out, ...more]
    const { code, stderr } = await kogrpo(args)
    expect(existsSync(out)).toBe(false)
    expect(readdirSync(directory).filter(name => name.endsWith('.partial'))).toEqual([])
    return { code, stderr }
  }

  test.each([
    ['{"prompt": ', ':2: the line is not valid JSON'],
    [{ question: 'q' }, ':2: no "messages", "prompt" or "text" (columns: question)'],
    [{ text: 't' }, ':2: plain "text" is no prompt; give "prompt", "messages" or "tokens"'],
    [{ tokens: [1, 1024] }, ':2: "tokens"[1] is 1024; expected a token id below 1024'],
    [{ tokens: [1, 0.5] }, ':2: "tokens"[1] is 0.5;'],
    [{ tokens: 3 }, ':2: "tokens" is not a list of token ids'],
    [{ tokens: [] }, ':2: "tokens" is empty; a prompt needs a token'],
    [
      { messages: [...messages, { role: 'assistant', content: 'a' }] },
      ':2: the messages end with the assistant; leave its answer out',
    ],
    [{ tokens: [1], sampling: { temprature: 1 } }, ':2: sampling: Unrecognized key: "temprature"'],
    [{ tokens: [1], sampling: { top_p: 0 } }, ':2: sampling.top_p: '],
    [
      { tokens: new Array(256).fill(1) },
      ":2: the prompt has 256 tokens and leaves no room in the model's context of 256",
    ],
  ])('%j is refused by line', async (line, message) => {
    const file = input({ prompt: 'q' }, line)
    const { code, stderr } = await failing(file)
    expect(code).toBe(1)
    expect(stderr).toContain(`kogrpo: ${file}${message}`)
  })

  test('a missing input, and an output that is the input', async () => {
    const { code, stderr } = await failing(join(directory, 'nowhere.jsonl'))
    expect([code, stderr]).toEqual([1, expect.stringContaining('nowhere.jsonl: cannot be read')])
    const file = input({ prompt: 'q' })
    const same = await kogrpo([...base, '--model', model, '--input', file, '--output', file])
    expect(same.stderr).toContain('; name another')
    expect(readRows(file)).toEqual([{ prompt: 'q' }])
  })

  test('a model that is not there, or has no weights', async () => {
    const file = input({ prompt: 'q' })
    const nowhere = await failing(file, '--model', join(directory, 'nowhere'))
    expect(nowhere.stderr).toContain('give a Hugging Face directory or builtin:mini')
    const weightless = await failing(file, '--init', 'pretrained')
    expect(weightless.stderr).toContain('holds neither model.safetensors')
    const device = await failing(file, '--device', 'cuda')
    expect(device.stderr).toMatch(/device cuda: this build has no CUDA code.*npm run build:cuda/)
  })

  test.each([
    [['--temperature', '-1'], '--temperature: expected a number, at least 0, got "-1"'],
    [['--top-p', '0'], '--top-p: expected a number, above 0 and at most 1, got "0"'],
    [['--max-new-tokens', '0'], '--max-new-tokens: expected a whole number'],
    [['--temprature', '1'], 'unknown option --temprature; did you mean "--temperature"?'],
    [['--num-generations', 'x'], '--num-generations: expected a whole number, 1 to 65536, got "x"'],
  ])('%j is mistyped', async (args, message) => {
    const { code, stderr } = await failing(input({ prompt: 'q' }), ...args)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  test('required options', async () => {
    expect((await kogrpo(['generate'])).stderr).toContain('required: --model, --input, --output\n')
    const typo = await kogrpo(['generate', '--modle', 'x', '--input', 'a', '--output', 'b'])
    expect([typo.code, typo.stderr]).toEqual([
      2,
      expect.stringContaining('did you mean "--model"?'),
    ])
  })
})

test('a stopped run is taken up again, and ends with the same bytes', async () => {
  const lines = Array.from({ length: 80 }, (_, i) => ({ tokens: [i + 1, 9], name: `한 ${i}` }))
  const file = input(...lines)
  const args = (out: string): string[] => [
    ...[...base, '--model', model, '--input', file, '--output', out, '--num-generations', '2'],
    ...['--max-new-tokens', '60', '--max-sequences', '1', '--threads', '1'],
  ]
  const whole = join(directory, 'whole.jsonl')
  expect((await kogrpo(args(whole))).code).toBe(0)

  const stopped = join(directory, 'stopped.jsonl')
  const run = start(args(stopped))
  const partial = await vi.waitUntil(
    () => {
      const name = readdirSync(directory).find(n => /^stopped\.jsonl\.\w{8}\.partial$/.test(n))
      return name && statSync(join(directory, name)).size > 0 && join(directory, name)
    },
    { timeout: 200_000, interval: 2 },
  )
  run.signals.emit('SIGINT', 'SIGINT')
  const { code, stderr } = await run.done
  expect(code).toBe(130)
  expect(stderr).toContain(`kept in ${partial}; the same command goes on from there`)
  expect(existsSync(stopped)).toBe(false)
  const kept = readRows(partial).length
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThan(160)

  // A row of a record whose other row is missing, and half a line, as a crash would leave them.
  appendFileSync(partial, '{"index":-1}\n{"torn')
  // Other options make other rows: that run starts at the first record, and leaves these alone.
  const other = await kogrpo([...args(stopped), '--num-generations', '1', '--temperature', '0.5'])
  expect([other.code, other.stderr]).toEqual([0, expect.not.stringContaining('going on')])
  expect(readRows(stopped)).toHaveLength(80)
  const again = await kogrpo(args(stopped))
  expect(again.code).toBe(0)
  expect(again.stderr).toContain(`going on behind ${kept / 2} records of a stopped run`)
  expect(readFileSync(stopped)).toEqual(readFileSync(whole))
  expect(existsSync(partial)).toBe(false)
})
