/** Recipes in YAML and the overrides of the command line: refused by place, or resolved. */
import { parseRecipe } from '../../../lib/config/load.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateText, type Random, WORDS } from '../mutate.ts'

const SEEDS = [
  'model: {path: "builtin:mini"}\ngrpo:\n  data: [{path: a.jsonl}]\n  num_generations: 8\n  rewards:\n    - {kind: accuracy, weight: 1}\n',
  'model:\n  path: m\nsft: &s\n  data:\n    - path: x.jsonl\n      columns: {prompt: q}\n  max_steps: 3\neval: {every: 10}\n',
  'a: &a [x, x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nd: [*c, *c, *c, *c]\n',
  '{"model": {"path": "m"}, "seed": 1, "grpo": null}\n',
]
const words = [
  ...WORDS,
  ...[
    '&a ',
    '*a',
    '<<: *a',
    '!!js/function ',
    '!!binary ',
    '? ',
    '| ',
    '> ',
    '---\n',
    '...\n',
    '%YAML 1.1\n',
  ],
  ...['grpo', 'sft', 'model', 'rewards', 'oracle', ': ', '- ', '\t', '  ', '{{{{', '[[[['],
]
const KEYS = [
  'grpo.learning_rate',
  'model.path',
  '__proto__.x',
  'grpo.__proto__',
  'grpo.data.0.path',
  'constructor',
  'seed',
  'grpo.rewards.0',
]

export const target: FuzzTarget = {
  name: 'recipe',
  make: (random: Random) => ({
    text: mutateText(random, random.pick(SEEDS), words),
    overrides: Array.from({ length: random.below(3) }, () => ({
      key: mutateText(random, random.pick(KEYS), ['.', '__proto__', 'constructor', '0', '-1']),
      value: random.chance(5)
        ? undefined
        : mutateText(random, random.pick(['1', 'true', '[1]', '{a: 1}', 'null', 'x']), words),
    })),
  }),
  run({
    text,
    overrides,
  }: {
    text: string
    overrides: { key: string; value: string | undefined }[]
  }) {
    parseRecipe(text, 'r.yaml', { overrides })
  },
}
