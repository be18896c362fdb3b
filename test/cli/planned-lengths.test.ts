/** What a plan reads of a recipe's data: means over the first records, nothing where there is nothing. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readLengths } from '../../lib/cli/planned-lengths.ts'
import { resolveRecipe } from '../../lib/config/load.ts'
import type { Recipe } from '../../lib/config/schema.ts'
import { ChatTemplate } from '../../lib/data/chat-template.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { temporaryDirectory } from '../train/tiny.ts'

const tokenizer = await Tokenizer.load('assets/mini')
const template = new ChatTemplate(tokenizer)

/** Lines of conversations with the answers `answers`, and what they should be counted as. */
async function file(answers: readonly string[]): Promise<{ path: string; mean: Means }> {
  const path = join(await temporaryDirectory(), 'data.jsonl')
  const chats = answers.map(content => [
    { role: 'user' as const, content: '3 더하기 4는?' },
    { role: 'assistant' as const, content },
  ])
  writeFileSync(path, chats.map(messages => `${JSON.stringify({ messages })}\n`).join(''))
  const samples = chats.map(messages => template.renderTraining(messages, undefined))
  const average = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  return {
    path,
    mean: {
      sample: average(samples.map(({ ids }) => ids.length)),
      trained: average(samples.map(({ mask }) => mask.reduce((a, b) => a + b, 0))),
    },
  }
}

interface Means {
  sample: number
  trained: number
}

type Sft = NonNullable<Parameters<typeof resolveRecipe>[0]['sft']>

function recipe(sft: Sft, model = 'builtin:mini'): Recipe {
  return resolveRecipe({ name: 'a', model: { path: model }, sft: { max_steps: 1, ...sft } })
}

describe('the lengths of a plan', () => {
  it('are means over the samples, weighted as the mixture', async () => {
    const [short, long] = [await file(['7', '일곱']), await file(['3에 4를 더하면 7입니다.'])]
    const one = await readLengths(recipe({ data: [{ path: short.path }] }))
    expect(one.sample).toBeCloseTo(short.mean.sample, 12)
    expect(one.trained).toBeCloseTo(short.mean.trained, 12)
    const data = [{ path: short.path }, { path: long.path, weight: 3 }]
    const both = await readLengths(recipe({ data }))
    expect(both.sample).toBeCloseTo((short.mean.sample + 3 * long.mean.sample) / 4, 12)
    expect(both.trained).toBeCloseTo((short.mean.trained + 3 * long.mean.trained) / 4, 12)
    const all = await readLengths(recipe({ data, assistant_only_loss: false }))
    expect(all.trained).toBeCloseTo(both.sample! - 1, 12)
  })

  it('leave out samples that are too long, and are unknown when none is left', async () => {
    const { path } = await file(['7', '7'.repeat(90)])
    const alone = await file(['7'])
    const data = [{ path }]
    const limit = alone.mean.sample
    expect((await readLengths(recipe({ data, max_length: limit }))).sample).toBe(limit)
    expect(await readLengths(recipe({ data, max_length: 4 }))).toEqual({})
  })

  it('are unknown where a file or the model is not there yet', async () => {
    const { path } = await file(['7'])
    expect(await readLengths(recipe({ data: [{ path }, { path: 'none.jsonl' }] }))).toEqual({})
    expect(await readLengths(recipe({ data: [{ path }] }, 'models/Qwen3-14B'))).toEqual({})
  })

  it('of prompts are those that the grpo stage makes', async () => {
    const lengths = await readLengths(
      resolveRecipe({ name: 'a', grpo: { data: [{ path: 'mini:grpo', size: 1 }], max_steps: 1 } }),
    )
    expect(Object.keys(lengths)).toEqual(['prompt'])
    expect(lengths.prompt).toBeGreaterThan(10)
    expect(lengths.prompt! % 1).toBe(0)
  })

  it('name the file and line of a record that makes no sample', async () => {
    const path = join(await temporaryDirectory(), 'bad.jsonl')
    writeFileSync(path, '{"messages": []}\n')
    await expect(readLengths(recipe({ data: [{ path }] }))).rejects.toThrow('bad.jsonl:1')
  })
})
