import { expect, test } from 'vitest'
import { splitOverrides } from '../../lib/cli/train-overrides.ts'

const KEYS = new Set(['grpo', 'name'])

test.each([
  ['mini --grpo.lr 1 --seed 3', [['grpo.lr', '1']], 'mini --seed 3'],
  ['--grpo.lr=1 mini', [['grpo.lr', '1']], 'mini'],
  ['--grpo.lr=a=b', [['grpo.lr', 'a=b']], ''],
  ['--grpo.lr=', [['grpo.lr', '']], ''],
  ['--grpo.beta -1', [['grpo.beta', '-1']], ''],
  [
    '--model.gradient_checkpointing --seed 3',
    [['model.gradient_checkpointing', undefined]],
    '--seed 3',
  ],
  [
    '--grpo null --name x',
    [
      ['grpo', 'null'],
      ['name', 'x'],
    ],
    '',
  ],
  ['--sft null', [], '--sft null'],
  ['--output-dir a.b --overwrite', [], '--output-dir a.b --overwrite'],
  ['a.yaml', [], 'a.yaml'],
])('%s', (line, overrides, rest) => {
  const split = splitOverrides(line.split(' '), KEYS)
  expect(split.overrides).toEqual(overrides.map(([key, value]) => ({ key, value })))
  expect(split.rest.join(' ')).toBe(rest)
})
