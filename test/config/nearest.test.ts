import { expect, test } from 'vitest'
import { didYouMean, nearest } from '../../lib/config/nearest.ts'

const KEYS = ['learning_rate', 'max_steps', 'beta', 'seed', 'num_generations']

test.each([
  ['learnign_rate', 'learning_rate'],
  ['learning-rate', 'learning_rate'],
  ['lerning_rte', 'learning_rate'],
  ['maxsteps', 'max_steps'],
  ['bta', 'beta'],
  ['num_gen', 'num_generations'],
  ['Seed', 'seed'],
  ['temperature', undefined],
  ['x', undefined],
])('%s → %s', (word, expected) => {
  expect(nearest(word, KEYS)).toBe(expected)
})

test('a swap of neighbours costs one', () => {
  expect(nearest('ab', ['ba', 'cc'])).toBe('ba')
})

test('the hint carries the prefix, or is empty', () => {
  expect(String(didYouMean('bet', KEYS, '--grpo.'))).toBe('; did you mean "--grpo.beta"?')
  expect(didYouMean('zzz', KEYS)).toBe('')
})
