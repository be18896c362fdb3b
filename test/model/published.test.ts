import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseModelConfig } from '../../lib/model/config.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { publishedModel } from '../../lib/model/published.ts'

const NAMES = ['0.6B', '1.7B', '4B', '8B', '14B', '32B'].map(size => `Qwen3-${size}`)

test.for(NAMES)('%s has the sizes of its config.json', name => {
  const file = `../shared/data/qwen3/${name}/config.json`
  if (!existsSync(file)) return console.warn(`skipped: no ${file}`)
  const { raw: _raw, ...expected } = parseModelConfig(JSON.parse(readFileSync(file, 'utf8')))
  const { raw: _own, ...config } = publishedModel(`models/${name}`)!.config
  expect(config).toEqual(expected)
})

test('Qwen3-14B has 14.77 billion parameters; a base model has the sizes of the other', () => {
  const { name, config } = publishedModel('/a/b/Qwen3-14B-Base/')!
  expect(name).toBe('Qwen3-14B-Base')
  expect(parameterLayout(config).total).toBe(14_768_307_200)
})

test('a name that only begins alike is of no published model', () => {
  for (const dir of ['models/Qwen3-14B-ko', 'models/qwen3', 'toString', 'Qwen3-4B-Instruct-2507'])
    expect(publishedModel(dir)).toBeNull()
})

test('a model that is not there is an error with where to get it, or what it is', async () => {
  await expect(openModelDirectory('nowhere/Qwen3-8B')).rejects.toThrow(
    /there is no model \/.*nowhere\/Qwen3-8B; download it: hf download Qwen\/Qwen3-8B --local-dir nowhere\/Qwen3-8B/,
  )
  await expect(openModelDirectory('assets/minii')).rejects.toThrow(
    /there is no model \/.*assets\/minii; did you mean "assets\/mini"\?; a model is a Hugging Face directory/,
  )
})
