/** rl-check, eval diversity and data difficulty on a tiny random model: it is not ready, and says so. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { processContext } from '../../lib/cli/context.ts'
import { main } from '../../lib/cli/main.ts'
import { readRecords } from '../../lib/data/readers.ts'
import { tinyModelDirectory } from '../train/tiny.ts'

let recipe = ''
let model = ''

const run = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
  const said = { out: '', err: '' }
  const write = (to: 'out' | 'err') => (text: string) => {
    said[to] += text
    return true
  }
  const context = {
    ...processContext,
    stdout: { write: write('out') },
    stderr: { write: write('err') },
  }
  return { code: await main(args, context), ...said }
}

beforeAll(async () => {
  model = await tinyModelDirectory()
  recipe = join(mkdtempSync(join(tmpdir(), 'kogrpo-test-')), 'r.yaml')
  writeFileSync(
    recipe,
    `model: {init: random}
grpo:
  data: [{path: mini:grpo, size: 12}]
  num_generations: 4
  max_completion_length: 8
  rewards: [{name: accuracy}, {name: format}]
eval: {data: [{path: mini:test, size: 4}]}
`,
  )
})

describe('a model that can nothing', () => {
  it('fails rl-check with the figures and the remedy', async () => {
    const { code, out, err } = await run('rl-check', recipe, '--model', model, '--limit', '5')
    expect(code).toBe(1)
    expect(out).toContain(
      '5 prompts × 4: pass@1 0.0 %, pass@4 0.0 %, groups of equal rewards 100.0 %',
    )
    expect(err).toContain(
      'not ready for RL: in 100 % of the groups all rewards are equal (limit 90 %)',
    )
    expect(err).toContain('none of 4 attempts at any prompt is right')
  })

  it('has a diversity of tokens and none of right answers', async () => {
    const { code, out } = await run(
      ...['eval', 'diversity', recipe, '--model', model, '--k', '6', '--limit', '3', '--json'],
    )
    expect(code).toBe(0)
    const figures = JSON.parse(out)
    expect(figures).toMatchObject({
      prompts: 3,
      k: 6,
      pass_at: { 1: 0, 2: 0, 4: 0, 6: 0 },
      distinct_correct: null,
    })
    // Nearly uniform over the ids of the tokenizer.
    expect(figures.token_entropy).toBeGreaterThan(6)
    expect(figures.token_entropy).toBeLessThan(Math.log(1024))
  })

  it('solves no prompt, and the file of pass rates can be trained on', async () => {
    const output = join(mkdtempSync(join(tmpdir(), 'kogrpo-test-')), 'rated.jsonl')
    const { code, out } = await run(
      ...['data', 'difficulty', recipe, '--model', model, '--output', output],
    )
    expect(code).toBe(0)
    expect(out).toBe(`12 prompts in ${output}: 12 never solved in 4 attempts, 0 always\n`)
    const rows = []
    for await (const { record } of readRecords(output)) rows.push(record)
    expect(rows).toHaveLength(12)
    expect(rows[0]).toMatchObject({ pass_rate: 0, pass_rate_samples: 4 })
    expect(rows[0]!.answer).toBeDefined()
    expect(readFileSync(output, 'utf8')).toContain('"role":"user"')
  })
})
