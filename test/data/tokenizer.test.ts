import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChatTemplate, type Message } from '../../lib/data/chat-template.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { PLAIN_TEMPLATE, writeTinyTokenizer } from './tiny-tokenizer.ts'

const dir = await writeTinyTokenizer()
const tokenizer = await Tokenizer.load(dir)

describe('Tokenizer', () => {
  it('merges, parses special tokens and knows its size', () => {
    expect(tokenizer.size).toBe(263)
    expect(tokenizer.eosIds).toEqual([260, 258])
    expect(tokenizer.encode('the th<think>t')).toEqual([257, 32, 256, 261, 116])
    expect(tokenizer.encode('각')).toEqual([0xea, 0xb0, 0x81])
  })

  it('refuses a model with fewer embeddings than ids, or with another end of a turn', () => {
    tokenizer.requireModel({ vocabSize: 263, raw: {} })
    tokenizer.requireModel({ vocabSize: 300, raw: { eos_token_id: [260, 258] } })
    const require = (vocabSize: number, raw: object) => () =>
      tokenizer.requireModel({ vocabSize, raw: { ...raw } })
    expect(require(262, {})).toThrow(/263 ids, the model's vocab_size is 262; they do not belong/)
    expect(require(300, { eos_token_id: 151_645 })).toThrow(/token 151645 \(eos_token_id\), which/)
    expect(require(300, { eos_token_id: 97 })).toThrow(/no special token of the tokenizer/)
  })

  it('round-trips any text after NFC (property)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.normalize('NFC'))
      }),
      { numRuns: 500 },
    )
  })

  it('decodes any ids without throwing, streamed as at once (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(262)), ids => {
        const stream = tokenizer.decodeStream()
        const text = ids.map(id => stream.push(id)).join('') + stream.end()
        expect(text).toBe(tokenizer.decode(ids))
        const bytes = Buffer.concat(ids.map(id => tokenizer.bytesOf(id)))
        expect(text).toBe(bytes.toString('utf8'))
      }),
      { numRuns: 500 },
    )
  })

  it.each<[string, (json: Record<string, unknown>) => void, RegExp]>([
    ['another model', json => Object.assign(json, { model: { type: 'Unigram' } }), /model\.type/],
    [
      'another normaliser',
      json => Object.assign(json, { normalizer: { type: 'NFKC' } }),
      /normalizer/,
    ],
    ['no vocabulary', json => Object.assign(json, { model: { type: 'BPE' } }), /model\.vocab/],
    [
      'an eos that does not exist',
      json => Object.assign(json, { added_tokens: [] }),
      /<\|im_end\|>/,
    ],
  ])('refuses %s by name', async (_name, change, expected) => {
    const other = await writeTinyTokenizer(null, change)
    await expect(Tokenizer.load(other)).rejects.toMatchObject({
      code: 'E_TOKENIZER',
      message: expect.stringMatching(expected),
    })
    await rm(other, { recursive: true })
  })
})

describe('ChatTemplate', () => {
  const talk: Message[] = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
    { role: 'user', content: 'c' },
    { role: 'assistant', reasoning_content: 'r', content: 'd' },
  ]

  it('masks every assistant turn up to and with its stop token', () => {
    const { ids, mask, text } = new ChatTemplate(tokenizer).renderTraining(talk)
    const trained = tokenizer.decode(ids.filter((_, t) => mask[t] === 1))
    expect(trained).toBe(
      '<think>\n\n</think>\n\nb<|im_end|>\n<think>\nr\n</think>\n\nd<|im_end|>\n',
    )
    expect(text).toBe(new ChatTemplate(tokenizer).renderText(talk))
    const spaced = ids.filter(id => id === 260)
    expect(spaced).toHaveLength(4)
  })

  it('ends a prompt with the assistant opening and the empty block', () => {
    const template = new ChatTemplate(tokenizer)
    const question = talk.slice(0, 1)
    const open = template.renderText(question, { addGenerationPrompt: true })
    expect(open).toBe('<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n')
    const off = template.renderText(question, { addGenerationPrompt: true, enableThinking: false })
    expect(off).toBe(`${open}<think>\n\n</think>\n\n`)
  })

  // Texts and spans as transformers 5.18's render_jinja_template gives them for these templates.
  it.each([
    [
      '{%- if m.role == "assistant" %}\n  {% generation %}\n{{ m.content }}!\n  {%- endgeneration %}\n  {%- endif %}',
      '[user][assistant]b![user][assistant]d!',
      'b!d!',
    ],
    [
      '{% if m.role == "assistant" %}\n  {% generation %}\n{{ m.content }}!\n  {% endgeneration %}\n  {% endif %}',
      '[user]\n[assistant]\nb!\n[user]\n[assistant]\nd!\n',
      'b!\nd!\n',
    ],
    [
      '{%- generation -%}\n  {{ m.content }}!\n  {%- endgeneration -%}   ',
      '[user]a![assistant]b![user]c![assistant]d!',
      'a!b!c!d!',
    ],
  ])('honours generation tags of the own template: %s', async (body, text, trained) => {
    const source = `{% for m in messages %}\n{{ '[' + m.role + ']' }}\n  ${body}\n{% endfor %}`
    const own = await Tokenizer.load(await writeTinyTokenizer(source))
    const rendered = new ChatTemplate(own).renderTraining([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'c' },
      { role: 'assistant', content: 'd' },
    ])
    expect(rendered.text).toBe(text)
    expect(own.decode(rendered.ids.filter((_, t) => rendered.mask[t] === 1))).toBe(trained)
  })

  it('trains a token that straddles the border of a turn, as transformers does', async () => {
    const source =
      "{% for m in messages %}{{ 'x t' }}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    const own = await writeTinyTokenizer(source)
    const template = new ChatTemplate(await Tokenizer.load(own))
    const { ids, mask, spans } = template.renderTraining([{ role: 'user', content: 'he.' }])
    expect(ids).toEqual([120, 32, 257, 46])
    expect([...mask]).toEqual([0, 0, 1, 1])
    expect(spans).toEqual([[2, 4]])
  })

  it('refuses a foreign template without generation tags for training only', async () => {
    const own = await writeTinyTokenizer('{% for m in messages %}{{ m.content }}{% endfor %}')
    const template = new ChatTemplate(await Tokenizer.load(own))
    expect(template.renderText(talk)).toBe('abcd')
    expect(() => template.renderTraining(talk)).toThrow(/mark them with \{% generation %\}/)
  })

  it('refuses a missing and a broken template', async () => {
    const none = await Tokenizer.load(await writeTinyTokenizer(null))
    expect(() => new ChatTemplate(none)).toThrow(/has no chat template/)
    const broken = await Tokenizer.load(await writeTinyTokenizer('{% if %}'))
    expect(() => new ChatTemplate(broken)).toThrow(/does not parse/)
  })

  it('prefers chat_template.jinja, as transformers does', async () => {
    const own = await writeTinyTokenizer('a')
    await writeFile(path.join(own, 'chat_template.jinja'), 'b')
    expect((await Tokenizer.load(own)).chatTemplate).toBe('b')
    expect(PLAIN_TEMPLATE).not.toContain('generation %')
  })
})
