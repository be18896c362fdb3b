/** A key of another section, or of another program, is told its place here. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { keyHint, placesOf } from '../../lib/config/key-places.ts'
import { describeKeys } from '../../lib/config/keys.ts'
import { nameOf, parseRecipe } from '../../lib/config/load.ts'
import { kogrpo, temporaryDirectory } from '../cli/running.ts'

const refusal = (recipe: string): string => {
  try {
    parseRecipe(recipe, 'r.yaml')
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

test.each([
  ['bf16', 'model.dtype'],
  ['gradient_checkpointing', 'model.gradient_checkpointing'],
  ['reward_funcs', 'grpo.rewards'],
  ['report_to', 'logging.tensorboard'],
  ['clip_ratio_high', 'grpo.epsilon_high'],
  ['output_dir', 'output_dir'],
])('grpo.%s', (key, place) => {
  const told = refusal(`grpo:\n  data: [{path: mini:grpo}]\n  ${key}: 1\n`)
  expect(told).toBe(`r.yaml:3:3: grpo.${key}: unknown key in grpo; did you mean "${place}"?`)
})

test('a key that stands in several sections is told all of them; one that is misspelt the nearest', () => {
  expect(placesOf('learning_rate')).toEqual([
    ...['pretrain.learning_rate', 'sft.learning_rate', 'grpo.learning_rate'],
  ])
  expect(String(keyHint('learning_rte', ['learning_rate', 'beta']))).toBe(
    '; did you mean "learning_rate"?',
  )
  expect(keyHint('zzzzzz', ['beta'])).toBe('')
})

test('every place there is one of', () => {
  const keys = describeKeys().map(({ key }) => key)
  const known = (place: string): boolean =>
    place.startsWith('--') || keys.some(key => key === place || key.endsWith(`.${place}`))
  const told = ['bf16', 'lr', 'train_files', 'dataset_text_field', 'resume_from_checkpoint']
  expect(told.flatMap(placesOf).filter(place => !known(place))).toEqual([])
})

test.each([
  [
    ['train', 'mini', '--learning_rate', '1e-5', '--dry-run'],
    2,
    'unknown option --learning_rate; did you mean "--pretrain.learning_rate", "--sft.learning_rate", "--grpo.learning_rate"?',
  ],
  [
    ['train', 'mini', '--grpo.reward_funcs', 'x', '--dry-run'],
    1,
    '--grpo.reward_funcs: unknown key "grpo.reward_funcs"; did you mean "--grpo.rewards"?',
  ],
] as const)('%j', async (args, expected, message) => {
  const { code, stderr } = await kogrpo([...args])
  expect([code, stderr.split('\n')[0]]).toEqual([expected, `kogrpo: ${message}`])
})

test('a run is called as its recipe is: in Hangul too, put together, without spaces', () => {
  const run = (file: string): string =>
    parseRecipe('sft: {data: [{path: mini:sft}]}', file).recipe.name
  expect(run('recipes/한국어 실험.yaml')).toBe('한국어-실험')
  expect(run(`${'한국어'.normalize('NFD')}.yaml`)).toBe('한국어')
  expect(nameOf('my recipe (2).yml')).toBe('my-recipe-2-')
  expect(parseRecipe('name: 실험_1\nsft: {data: [{path: mini:sft}]}', 'r.yaml').recipe.name).toBe(
    '실험_1',
  )
})

test('a recipe in another encoding is refused, not read as replacement characters', async () => {
  const file = join(temporaryDirectory(), 'euckr.yaml')
  writeFileSync(file, Buffer.from([0x23, 0x20, 0xc7, 0xd1, 0xb1, 0xdb, 0x0a]))
  const { code, stderr } = await kogrpo(['train', file, '--dry-run'])
  expect([code, stderr]).toEqual([
    1,
    `kogrpo: cannot read recipe ${file}: it is not valid UTF-8; convert it (of Korean Windows: iconv -f CP949 -t UTF-8)\n`,
  ])
})
