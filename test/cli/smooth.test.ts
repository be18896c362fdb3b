import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { kogrpo, readRows, temporaryDirectory, writeLines, writeModel } from './running.ts'

const directory = temporaryDirectory()
const output = join(directory, 'smoothed')

test('smooth prints what it touches and writes a model', async () => {
  const dry = await kogrpo(['smooth', 'builtin:mini', '--dry-run'])
  expect(dry).toMatchObject({ code: 0, stderr: '' })
  expect(dry.stdout).toContain('1,024 tokens in the tokenizer')
  expect(dry.stdout).toMatch(/broken-UTF-8 tokens × 0\.\d{3} to 0\.\d{3}: .*e4/)
  expect(existsSync(output)).toBe(false)
  const done = await kogrpo(['smooth', 'builtin:mini', '--output', output, '--min-scale', '0.4'])
  expect(done).toMatchObject({ code: 0, stderr: '' })
  expect(done.stdout).toContain(`wrote ${output} in `)
  const { config } = await openModelDirectory(output)
  expect(config.tieWordEmbeddings).toBe(false)
  expect(config.raw.kogrpo_smooth).toMatchObject({ min_scale: 0.4, gamma: 10, keep_korean: true })
  const again = await kogrpo(['smooth', output, '--output', `${output}-2`])
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('smoothed already') })
})

test('smooth names what is wrong with its options', async () => {
  const wrong: [string[], string][] = [
    [[], 'required: --output DIR (or --dry-run'],
    [['--min-scale', '0', '--dry-run'], '--min-scale: expected a number, above 0 and at most 1'],
    [['--gamma', '1', '--dry-run'], '--gamma: expected a number, above 1'],
    [['--ngram-weights', '1,x', '--dry-run'], '--ngram-weights: expected numbers'],
    [['--ngram-weights', '0,0', '--dry-run'], 'expected one weight above 0'],
  ]
  for (const [args, message] of wrong) {
    const { code, stderr } = await kogrpo(['smooth', 'builtin:mini', ...args])
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  }
})

test('generate and score take --smooth, and agree under it', async () => {
  const model = writeModel(directory, 'model')
  const prompts = writeLines(join(directory, 'in.jsonl'), [{ tokens: [5, 6, 7, 8] }])
  const base = ['--model', model, '--init', 'random', '--seed', '9']
  const run = async (...more: string[]) => {
    const out = join(directory, 'generated.jsonl')
    const args = ['generate', ...base, '--input', prompts, '--output', out]
    expect(await kogrpo([...args, '--max-new-tokens', '20', ...more])).toMatchObject({ code: 0 })
    const scored = join(directory, 'scored.jsonl')
    const score = ['score', ...base, '--input', out, '--output', scored, '--vocab', 'tokenizer']
    expect(await kogrpo([...score, ...more])).toMatchObject({ code: 0 })
    expect(readRows(scored)[0]!.logprobs).toEqual(readRows(out)[0]!.logprobs)
    return readRows(out)[0]!.logprobs
  }
  const plain = await run()
  const half = await run('--smooth')
  expect(half).not.toEqual(plain)
  expect(await run('--smooth', '0.5')).toEqual(half)
  expect(await run('--smooth', '0.1')).not.toEqual(half)
  expect(await run('--smooth', '{min_scale: 0.5, gamma: 90}')).not.toEqual(half)
  for (const [word, message] of [
    ['2', '--smooth: min_scale'],
    ['{gama: 3}', 'gama'],
    ['strong', 'expected nothing, a number (min_scale), or keys'],
  ] as const) {
    const args = ['generate', ...base, '--input', prompts, '--output', 'x', '--smooth', word]
    expect(await kogrpo(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
  }
})
