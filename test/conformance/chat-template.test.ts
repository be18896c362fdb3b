import { beforeAll, describe, expect, it } from 'vitest'
import { ChatTemplate, type Message } from '../../lib/data/chat-template.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { hasShared, shared, sharedRecords, skipNote } from './shared.ts'

interface Render {
  add_generation_prompt: boolean
  enable_thinking: boolean | null
  text?: string
  ids?: number[]
  same_text_as?: number
}

interface Row {
  id: string
  messages: Message[]
  tools: unknown[] | null
  renders: Render[]
  training_template_text?: string
  training_n_tokens?: number
  assistant_mask_spans?: [number, number][]
}

const FILES = ['golden_dev_english.jsonl', 'golden_dev_korean.jsonl']
const rows = hasShared ? FILES.flatMap(file => sharedRecords<Row>('chat-template', file)) : []

describe.skipIf(!hasShared)(`chat template conformance${skipNote}`, () => {
  let template: ChatTemplate
  beforeAll(async () => {
    template = new ChatTemplate(await Tokenizer.load(shared('qwen3')))
  })

  it('has 107 conversations, 46 with trained spans', () => {
    expect(rows).toHaveLength(107)
    expect(rows.filter(row => row.assistant_mask_spans !== undefined)).toHaveLength(46)
    expect(rows.flatMap(row => row.renders)).toHaveLength(642)
  })

  it('renders every row as transformers does, text and ids', () => {
    for (const { id, messages, tools, renders } of rows) {
      for (const render of renders) {
        const golden = render.same_text_as === undefined ? render : renders[render.same_text_as]
        const { text, ids } = template.renderChat(messages, {
          addGenerationPrompt: render.add_generation_prompt,
          ...(render.enable_thinking === null ? {} : { enableThinking: render.enable_thinking }),
          tools,
        })
        expect(text, id).toBe(golden?.text)
        expect(ids, id).toEqual(golden?.ids)
      }
    }
  })

  it('trains the spans of the TRL training template', () => {
    for (const row of rows) {
      if (row.assistant_mask_spans === undefined) continue
      const { text, ids, mask, spans } = template.renderTraining(row.messages, row.tools)
      expect(text, row.id).toBe(row.training_template_text)
      expect(ids.length, row.id).toBe(row.training_n_tokens)
      expect(spans, row.id).toEqual(row.assistant_mask_spans)
      const trained = row.assistant_mask_spans.reduce((sum, [begin, end]) => sum + end - begin, 0)
      expect(
        mask.reduce((sum, bit) => sum + bit, 0),
        row.id,
      ).toBe(trained)
    }
  })

  it('keeps thinking in earlier turns for training and strips it for inference', () => {
    const turn: Message[] = [
      { role: 'user', content: '하나?' },
      { role: 'assistant', content: '<think>\n생각\n</think>\n\n답' },
      { role: 'user', content: '둘?' },
    ]
    expect(template.renderText(turn)).not.toContain('생각')
    expect(template.renderTraining(turn).text).toContain('<think>\n생각\n</think>\n\n답<|im_end|>')
  })

  it('is not confused by the markers it uses, nor by decomposed text', () => {
    const hostile: Message[] = [
      { role: 'user', content: '\u00020\u0003b \u00021\u0003e' },
      { role: 'assistant', reasoning_content: '각'.normalize('NFD'), content: '\u00020\u0003e' },
    ]
    const { text, ids, spans } = template.renderTraining(hostile)
    expect(text).toContain('\u00020\u0003b \u00021\u0003e<|im_end|>')
    expect(spans).toHaveLength(1)
    expect(spans[0]?.[1]).toBe(ids.length)
    expect(ids[spans[0]?.[0] ?? 0]).toBe(151_667)
  })
})
