/** The library's front door does what its example says. */
import { expect, test } from 'vitest'
import * as kogrpo from '../lib/index.ts'

test('a model directory, its tokenizer and an engine complete a question', async () => {
  const { Engine, Tokenizer, ChatTemplate, openModelDirectory, modelPath } = kogrpo
  const directory = await openModelDirectory(modelPath('builtin:mini'), { weights: false })
  await using engine = await Engine.create({ config: directory.config, init: { seed: 1 } })
  const tokenizer = await Tokenizer.load(directory.tokenizerDir)
  const messages = [{ role: 'user', content: '사과 3개에 2천 원이면 9개는 얼마예요?' }]
  const { ids } = new ChatTemplate(tokenizer).renderChat(messages, { addGenerationPrompt: true })
  const request = { tokens: Int32Array.from(ids), maxNewTokens: 5, temperature: 0 }
  const [completion] = await engine.generate([request], { vocabLimit: tokenizer.size })
  expect(completion!.tokens).toHaveLength(5)
  const tokens = Int32Array.from([...ids, ...completion!.tokens])
  const { logprobs } = await engine.score({ tokens, cuSeqlens: Int32Array.of(0, tokens.length) })
  expect(logprobs.slice(ids.length)).toEqual(completion!.logprobs)
})

test('recipes load, and errors are of one class', () => {
  const overrides = [{ key: 'seed', value: '7' }]
  expect(kogrpo.loadRecipe('mini', { overrides }).recipe.seed).toBe(7)
  expect(() => kogrpo.loadRecipe('nowhere.yaml')).toThrow(kogrpo.KogrpoError)
  expect(() => kogrpo.modelPath('builtin:none')).toThrow(kogrpo.KogrpoError)
  expect(typeof kogrpo.runTraining).toBe('function')
})
