import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { MINI_DATASETS, miniDataset, miniProblems } from '../../lib/mini/datasets.ts'

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)

describe('miniDataset', () => {
  it('gives pre-training chats with English thinking and plain Korean documents', () => {
    const records = miniDataset('mini:pretrain', { seed: 1, size: 3000 })
    const plain = records.filter(record => record.text !== undefined)
    expect(Math.abs(plain.length / 3000 - 0.3)).toBeLessThan(0.03)
    for (const record of plain) {
      expect(record.messages).toBeUndefined()
      expect(record.text).toMatch(/^문제: .+\n풀이: .+\n정답: .+$/)
    }
    for (const record of records) {
      if (record.messages === undefined) continue
      const [user, assistant] = record.messages
      expect(user!.content).toMatch(/[가-힣]/)
      expect(assistant!.reasoning_content).not.toMatch(/[가-힣]/)
      expect(assistant!.content).toMatch(/^정답: /)
    }
  })

  it('gives fine-tuning chats with Korean thinking', () => {
    for (const { messages } of miniDataset('mini:sft', { seed: 1, size: 500 })) {
      expect(messages!.map(message => message.role)).toEqual(['user', 'assistant'])
      expect(messages![1]!.reasoning_content).toMatch(/[가-힣]/)
    }
  })

  it('gives prompts with gold answers, the held-out ones without repeats or overlap', () => {
    const grpo = miniDataset('mini:grpo', { seed: 1, size: 4000 })
    const evaluation = miniDataset('mini:eval', { seed: 1, size: 2000 })
    const questions = new Set(evaluation.map(record => record.prompt![0]!.content))
    expect(questions.size).toBe(2000)
    const trained = ['mini:grpo', 'mini:sft', 'mini:pretrain'].flatMap(name =>
      [...miniProblems(name, { seed: 1, size: 4000 })].map(problem => problem.question),
    )
    expect(trained.filter(question => questions.has(question))).toEqual([])
    for (const record of [...grpo, ...evaluation]) {
      expect(record.prompt).toHaveLength(1)
      expect(record.answer).toMatch(/^[1-9]\d*$/)
    }
  })

  it('is the same for a seed, another for another seed, and a prefix for a smaller size', () => {
    for (const name of MINI_DATASETS) {
      const records = miniDataset(name, { seed: 5, size: 200 })
      expect(miniDataset(name, { seed: 5, size: 50 })).toEqual(records.slice(0, 50))
      expect(digest(miniDataset(name, { seed: 6, size: 200 }))).not.toBe(digest(records))
    }
    // The base model is reproduced bit for bit from this text: a change here means new weights.
    const style = { noise: 0, terse: 0.1, unitAnswer: 0.05, plainShare: 0.3 }
    expect(digest(miniDataset('mini:pretrain', { seed: 0, size: 1000, ...style }))).toBe(
      '0af996df963f5be2',
    )
  })

  it('names what is wrong with a request', () => {
    expect(() => miniDataset('mini:sftt', { seed: 0, size: 1 })).toThrow(/"mini:sftt".*mini:sft/)
    expect(() => miniDataset('mini:sft', { seed: 0, size: 0 })).toThrow(/size is 0/)
    expect(() =>
      miniDataset('mini:eval', { seed: 0, size: 2000, families: ['sharing'], maxSteps: 1 }),
    ).toThrow(/of 2000 different questions/)
  })
})
