import { describe, expect, it } from 'vitest'
import { ChatTemplate } from '../../lib/data/chat-template.ts'
import { type ColumnOptions, toConversation } from '../../lib/data/columns.ts'
import {
  collectSamples,
  type SampleOptions,
  toGrpoSample,
  toSftSample,
} from '../../lib/data/samples.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { writeTinyTokenizer } from './tiny-tokenizer.ts'

const tokenizer = await Tokenizer.load(await writeTinyTokenizer())
const template = new ChatTemplate(tokenizer)

const source = (record: Record<string, unknown>) => ({ record, file: 'd.jsonl', line: 7 })
const convert = (record: Record<string, unknown>, options: ColumnOptions = {}) =>
  toConversation(source(record), options)
const options = (change: Partial<SampleOptions> = {}): SampleOptions => ({
  tokenizer,
  template,
  maxLength: 1000,
  overlong: 'error',
  ...change,
})
const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string) => ({ role: 'assistant', content })

describe('toConversation', () => {
  it('maps columns, keeps the others and renames for rewards', () => {
    const columns = { prompt: 'question', completion: 'reason', gold: 'answer' }
    const record = { question: 'q', reason: 'r', answer: '3', class: 'c' }
    const found = convert(record, { columns, systemPrompt: 's' })
    expect(found.messages).toEqual([{ role: 'system', content: 's' }, user('q'), assistant('r')])
    expect(found.promptLength).toBe(2)
    expect(found.extra).toEqual({ gold: '3', answer: '3', class: 'c' })
  })

  it('puts an instruction behind the system message that there is, or as one', () => {
    const instruction = '나누어 생각하세요.'
    const system = (content: string) => ({ role: 'system', content })
    const plain = convert({ prompt: 'q', completion: 'c' }, { instruction })
    expect(plain.messages).toEqual([system(instruction), user('q'), assistant('c')])
    expect(plain.promptLength).toBe(2)
    const asked = convert({ prompt: 'q' }, { instruction, systemPrompt: 's' })
    expect(asked.messages[0]).toEqual(system(`s\n\n${instruction}`))
    expect(asked.promptLength).toBe(2)
    const messages = [system('own'), user('q'), assistant('a')]
    expect(convert({ messages }, { instruction, systemPrompt: 's' }).messages).toEqual([
      system(`own\n\n${instruction}`),
      ...messages.slice(1),
    ])
    expect(messages[0]).toEqual(system('own'))
    expect(() => convert({ text: 't' }, { instruction })).toThrow('no system message')
  })

  it('joins mapped reasoning to the completion', () => {
    const columns = { prompt: 'question', reasoning: 'solution', completion: 'answer' }
    const found = convert({ question: 'q', solution: 'because', answer: 'a' }, { columns })
    expect(found.messages[1]).toEqual({ ...assistant('a'), reasoning_content: 'because' })
    expect(convert({ prompt: 'q', reasoning: 'x' }).extra).toEqual({ reasoning: 'x' })
  })

  it('takes a column of that name as the thinking of a completion that has none', () => {
    const said = (completion: unknown, reasoning: unknown = 'x') =>
      convert({ prompt: 'q', completion, reasoning })
    expect(said('a').messages.at(-1)).toEqual({
      ...{ role: 'assistant', content: 'a', reasoning_content: 'x' },
    })
    expect(said('a').extra).toEqual({})
    for (const own of [
      '<think>y</think>a',
      [{ role: 'assistant', content: 'a', reasoning_content: 'y' }],
    ]) {
      expect(said(own).messages.at(-1)).not.toMatchObject({ reasoning_content: 'x' })
      expect(said(own).extra).toEqual({ reasoning: 'x' })
    }
    for (const none of ['', ' ', 3, null]) {
      expect(said('a', none).messages.at(-1)).toEqual({ role: 'assistant', content: 'a' })
    }
  })

  it('leaves the completion to the rewards when only the prompt is asked for', () => {
    const found = convert({ prompt: 'q', completion: 'c' }, { promptOnly: true })
    expect(found.messages).toEqual([user('q')])
    expect(found.extra).toEqual({ completion: 'c' })
  })

  it('takes a system column, text parts and tools', () => {
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]
    const found = convert({
      system: 's',
      messages: [{ role: 'user', content: parts }],
      tools: [{ name: 'f' }],
    })
    expect(found.messages).toEqual([{ role: 'system', content: 's' }, user('ab')])
    expect(found.tools).toEqual([{ name: 'f' }])
    expect(convert({ system: '', prompt: 'q' }).messages).toEqual([user('q')])
  })

  it.each<[Record<string, unknown>, ColumnOptions, string]>([
    [{ question: 'q' }, {}, 'no "messages", "prompt" or "text" (columns: question)'],
    [{ messages: [user('a')], prompt: 'q' }, {}, 'both "messages" and "prompt" are given'],
    [{ prompt: 'q' }, { columns: { prompt: 'question' } }, 'column "question" (prompt) is missing'],
    [{ prompt: 'q' }, { columns: { answer: 'gold' } }, 'column "gold" (answer) is missing'],
    [
      { prompt: 'q', answer: 1, gold: 2 },
      { columns: { answer: 'gold' } },
      'also has a column "answer"',
    ],
    [{ prompt: 5 }, {}, 'column "prompt" is not a list of messages'],
    [{ messages: [] }, {}, 'column "messages" is not a list'],
    [{ messages: [{ from: 'human', value: 'x' }] }, {}, 'messages[0].role is undefined'],
    [{ messages: [{ role: 'gpt', content: 'x' }] }, {}, 'messages[0].role is "gpt"'],
    [{ messages: [{ role: 'user', content: [{ type: 'image' }] }] }, {}, 'neither text nor a list'],
    [{ messages: [{ role: 'user' }] }, {}, 'messages[0] has no content'],
    [{ messages: [user('q'), assistant('')] }, {}, 'messages[1] is empty'],
    [{ messages: [{ role: 'system', content: 'a' }], system: 'b' }, {}, 'a system message besides'],
    [{ prompt: 'q', tools: 'f' }, {}, 'column "tools" is not a list'],
    [{ text: 5 }, {}, 'column "text" (text) is not text'],
  ])('refuses %j', (record, opts, expected) => {
    expect(() => convert(record, opts)).toThrow(`d.jsonl:7: `)
    expect(() => convert(record, opts)).toThrow(expected)
  })
})

describe('toSftSample', () => {
  const trainedText = (record: Record<string, unknown>): string => {
    const { sample } = toSftSample(source(record), options())
    const { ids, mask, trained } = sample!
    const picked = ids.filter((_, t) => mask[t] === 1)
    expect(picked.length).toBe(trained)
    return tokenizer.decode(picked)
  }

  it('trains every assistant turn of messages, stop token included', () => {
    const messages = [user('a'), assistant('b'), user('c'), assistant('<think>\nr\n</think>\n\nd')]
    expect(trainedText({ messages })).toBe(
      '<think>\n\n</think>\n\nb<|im_end|>\n<think>\nr\n</think>\n\nd<|im_end|>\n',
    )
  })

  it('trains only the completion when a prompt is given', () => {
    const prompt = [user('a'), assistant('b'), user('c')]
    expect(trainedText({ prompt, completion: 'd' })).toBe('<think>\n\n</think>\n\nd<|im_end|>\n')
  })

  it('trains all of plain text but its first token, and the separator', () => {
    expect(trainedText({ text: 'xyz' })).toBe('yz<|endoftext|>')
  })

  it('refuses a sample with nothing to train', () => {
    expect(() => toSftSample(source({ prompt: 'q' }), options())).toThrow(
      'd.jsonl:7: nothing to train: the sample has no assistant message; add one, or map the column to learn from with columns: { completion: … } (columns: prompt)',
    )
  })

  it('treats an over-long sample as told', () => {
    const record = source({ prompt: 'q', completion: 'x'.repeat(50) })
    const full = toSftSample(record, options()).sample!
    const maxLength = full.ids.length - 10
    expect(() => toSftSample(record, options({ maxLength }))).toThrow(
      `d.jsonl:7: the sample has ${full.ids.length} tokens, more than max_length ${maxLength}; raise max_length, or set overlong: skip or truncate`,
    )
    expect(toSftSample(record, options({ maxLength, overlong: 'skip' })).sample).toBeNull()
    const cut = toSftSample(record, options({ maxLength, overlong: 'truncate' }))
    expect(cut.truncated).toBe(true)
    expect(cut.sample!.ids).toEqual(full.ids.slice(0, maxLength))
    expect(cut.sample!.trained).toBe(full.trained - 10)
    expect(toSftSample(record, options({ maxLength: 3, overlong: 'truncate' })).sample).toBeNull()
    expect(toSftSample(record, options({ maxLength: full.ids.length })).truncated).toBe(false)
  })
})

describe('toGrpoSample', () => {
  it('renders the prompt up to the assistant opening', () => {
    const record = source({ prompt: 'q', completion: 'c', answer: 3 })
    const { sample } = toGrpoSample(record, options({ enableThinking: false }))
    expect(tokenizer.decode(sample!.promptIds)).toBe(
      '<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n',
    )
    expect(sample!.extra).toEqual({ completion: 'c', answer: 3 })
  })

  it('refuses prompts that answer themselves, plain text, and truncation', () => {
    const answered = source({ messages: [user('q'), assistant('a')] })
    expect(() => toGrpoSample(answered, options())).toThrow('ends with an assistant message')
    expect(() => toGrpoSample(source({ text: 'x' }), options())).toThrow('needs a prompt')
    const truncate = options({ overlong: 'truncate' })
    expect(() => toGrpoSample(source({ prompt: 'q' }), truncate)).toThrow('cannot be truncated')
    expect(() => toGrpoSample(source({ prompt: 'q' }), options({ maxLength: 2 }))).toThrow(
      'd.jsonl:7',
    )
    const skip = options({ maxLength: 2, overlong: 'skip' })
    expect(toGrpoSample(source({ prompt: 'q' }), skip).sample).toBeNull()
  })
})

describe('collectSamples', () => {
  async function* records(lengths: number[]) {
    for (const [i, n] of lengths.entries()) {
      yield { record: { text: 'x'.repeat(n) }, file: 'd.jsonl', line: i + 1 }
    }
  }

  it('counts what was kept, cut and left out', async () => {
    const cut = options({ maxLength: 5, overlong: 'truncate' })
    const truncated = await collectSamples(records([2, 4, 9, 30]), s => toSftSample(s, cut))
    expect(truncated.counts).toEqual({ records: 4, kept: 4, truncated: 2, skipped: 0 })
    expect(truncated.samples.map(s => s.ids.length)).toEqual([3, 5, 5, 5])
    const skip = options({ maxLength: 5, overlong: 'skip' })
    const skipped = await collectSamples(records([2, 4, 9, 30]), s => toSftSample(s, skip))
    expect(skipped.counts).toEqual({ records: 4, kept: 2, truncated: 0, skipped: 2 })
    await expect(collectSamples(records([9]), s => toSftSample(s, skip))).rejects.toThrow(
      'all 1 samples were too long',
    )
    await expect(collectSamples(records([]), s => toSftSample(s, skip))).rejects.toThrow(
      'no records',
    )
  })
})
