import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { schemaFor } from '../../lib/cli/commands/init.ts'
import { loadRecipe } from '../../lib/config/load.ts'
import { fitMachine } from '../../lib/init/fit.ts'
import { guessColumns } from '../../lib/init/guess-columns.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { kogrpo, temporaryDirectory } from '../cli/running.ts'

const prose = '가나다라 마바사 아자차카 타파하 '.repeat(5)

describe('columns are guessed from the names that data sets use', () => {
  test.each([
    [{ messages: [] }, { columns: {}, sft: true, grpo: false }],
    [{ conversations: [] }, { columns: { messages: 'conversations' }, sft: true, grpo: false }],
    [
      { prompt: 'p', completion: 'c' },
      { columns: {}, sft: true, grpo: false },
    ],
    [
      { question: 'q', answer: '3' },
      { columns: { prompt: 'question' }, sft: false, grpo: true },
    ],
    // GSM8K: the "answer" is a whole solution.
    [
      { question: 'q', answer: prose },
      { columns: { prompt: 'question', completion: 'answer' }, sft: true, grpo: false },
    ],
    // A derivation beside a short answer is thinking.
    [
      { question: 'q', reason: prose, answer: '33' },
      {
        columns: { prompt: 'question', completion: 'answer', reasoning: 'reason' },
        sft: true,
        grpo: true,
      },
    ],
    [
      { 질문: 'q', 추론: prose, 답변: '33' },
      {
        columns: { prompt: '질문', completion: '답변', reasoning: '추론' },
        sft: true,
        grpo: false,
      },
    ],
    [
      { problem: 'q', solution: prose },
      { columns: { prompt: 'problem', completion: 'solution' }, sft: true, grpo: false },
    ],
    [{ a: 1 }, { columns: {}, sft: false, grpo: false }],
  ])('%j', (record, expected) => {
    expect(guessColumns(record)).toEqual(expected)
  })
})

describe('the batch follows from the memory', () => {
  const config = parseModelConfig(
    {
      ...{ model_type: 'qwen3', vocab_size: 151_936, hidden_size: 1024, intermediate_size: 3072 },
      ...{ num_hidden_layers: 28, num_attention_heads: 16, num_key_value_heads: 8, head_dim: 128 },
      ...{ rms_norm_eps: 1e-6, rope_theta: 1e6, tie_word_embeddings: true },
      ...{ max_position_embeddings: 40_960, hidden_act: 'silu' },
    },
    'config.json',
  )
  const gib = 2 ** 30

  test('16 bytes a parameter, and no more than there is', () => {
    const large = fitMachine(config, 1024, 256 * gib)
    expect(large.parameters).toBe(596_049_920)
    expect(large.weights).toBe(16 * large.parameters)
    expect(large).toMatchObject({ fits: true, gradientCheckpointing: false, batch: 16 })
    const middle = fitMachine(config, 1024, 24 * gib)
    expect(middle).toMatchObject({ fits: true, gradientCheckpointing: false })
    expect(middle.batch).toBeLessThan(16)
    expect(fitMachine(config, 4096, 16 * gib)).toMatchObject({ gradientCheckpointing: true })
    expect(fitMachine(config, 1024, 8 * gib)).toMatchObject({ fits: false, batch: 1 })
    for (const fit of [large, middle]) expect(fit.peak).toBeLessThanOrEqual(256 * gib)
    expect(middle.peak).toBeLessThanOrEqual(24 * gib)
  })
})

describe('kogrpo init', () => {
  const directory = temporaryDirectory()
  const file = (name: string): string => join(directory, name)
  const run = (...args: string[]) => kogrpo(['init', ...args, '--yes'])
  const row = { question: '사과 둘에 셋을 더하면?', reason: prose, answer: '5' }
  writeFileSync(file('my.jsonl'), `${JSON.stringify(row)}\n`.repeat(3))
  writeFileSync(file('bad.jsonl'), '{"x": 1}\n')

  test('writes a recipe that loads, with the columns and lengths of the data', async () => {
    const data = file('my.jsonl')
    const judge = ['--judge', 'http://localhost:8000/v1', '--judge-model', 'j']
    const { code } = await run(file('a.yaml'), '--data', data, '--problems', data, ...judge)
    expect(code).toBe(0)
    const { recipe } = loadRecipe(file('a.yaml'))
    expect(recipe.sft!.data[0]!.columns).toEqual({
      ...{ prompt: 'question', completion: 'answer', reasoning: 'reason' },
    })
    expect(recipe.grpo!.data[0]!.columns).toEqual({ prompt: 'question' })
    expect(recipe.grpo!.oracle).toMatchObject({ rule: 'appeal', judge: { kind: 'openai' } })
    expect(recipe.sft!.max_length % 64).toBe(0)
    const [, schema, made] = readFileSync(file('a.yaml'), 'utf8').split(/\$schema=|\n/)
    expect(made).toMatch(/^# Made by kogrpo init/)
    expect(schema).toBe(schemaFor(file('a.yaml')))
    const root = fileURLToPath(new URL('../..', import.meta.url))
    expect(schemaFor(join(root, 'x.yaml'))).toBe('./dist/recipe.schema.json')
    expect(resolve(schema!)).toBe(join(root, 'dist/recipe.schema.json'))
  })

  test.each([
    [['a.txt', '--data', 'my.jsonl'], 'a.txt: expected a name that ends in .yaml'],
    [['b.yaml'], 'nothing to train on'],
    [['b.yaml', '--data', file('bad.jsonl')], 'found no columns for a prompt and a completion'],
    [['b.yaml', '--problems', file('bad.jsonl')], 'found no columns for a prompt and an answer'],
    [['b.yaml', '--data', file('my.jsonl'), '--judge', 'http://x'], '--judge and --judge-model'],
    [['b.yaml', '--data', file('none.jsonl')], 'none.jsonl: cannot be read'],
    [['b.yaml', '--data', file('my.jsonl'), '--model', file('no')], 'no'],
  ])('%j is refused with the remedy', async (args, message) => {
    const [name, ...rest] = args as [string, ...string[]]
    const { code, stderr } = await run(file(name), ...rest)
    expect(code).toBeGreaterThan(0)
    expect(stderr).toContain(message)
  })

  test('never replaces a file unasked', async () => {
    writeFileSync(file('mine.yaml'), 'name: mine\n')
    const { code, stderr } = await run(file('mine.yaml'), '--data', file('my.jsonl'))
    expect(code).toBe(2)
    expect(stderr).toContain('exists; choose another name, or add --overwrite')
    expect(readFileSync(file('mine.yaml'), 'utf8')).toBe('name: mine\n')
  })
})
