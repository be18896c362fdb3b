import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { knownKeys, schemaAt } from '../../lib/config/keys.ts'
import { loadRecipe, type Override, parseRecipe, resolveRecipe } from '../../lib/config/load.ts'
import type { Recipe } from '../../lib/config/schema.ts'
import { KogrpoError } from '../../lib/errors.ts'

const NOW = new Date(2026, 0, 2, 3, 4, 5)

const MINIMAL = `sft:
  data:
    - path: mini:sft
grpo:
  data:
    - path: mini:grpo
eval:
  data:
    - path: mini:test
`

const load = (text: string, overrides: Override[] = []): Recipe =>
  parseRecipe(text, 'r.yaml', { overrides, now: NOW }).recipe

const over = (...words: string[]): Override[] => {
  const list: Override[] = []
  for (let i = 0; i < words.length; i += 2) list.push({ key: words[i]!, value: words[i + 1] })
  return list
}

function failure(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(KogrpoError)
    expect((error as KogrpoError).code).toBe('E_CONFIG')
    return (error as Error).message
  }
  throw new Error('no error was thrown')
}

const fails = (text: string, overrides: Override[] = []): string =>
  failure(() => load(text, overrides))

/** The message when `lines` stand in the grpo stage of an otherwise valid recipe. */
const grpoFails = (...lines: string[]): string =>
  fails(`grpo:\n  data: [{path: mini:grpo}]\n${lines.map(l => `  ${l}\n`).join('')}`)

describe('defaults', () => {
  test('a minimal recipe is filled in', () => {
    const recipe = load(MINIMAL)
    expect(recipe).toMatchObject({
      name: 'r',
      seed: 42,
      threads: 0,
      device: 'cpu',
      model: { path: 'builtin:mini', init: 'pretrained', gradient_checkpointing: false },
      logging: { steps: 1, completions: true, heartbeat_seconds: 10 },
      output_dir: join('runs', 'r-20260102-030405'),
    })
    expect(recipe.pretrain).toBeUndefined()
    expect(recipe.sft).toMatchObject({
      data: [{ path: 'mini:sft', weight: 1 }],
      packing: true,
      overlong: 'error',
      assistant_only_loss: true,
      learning_rate: 2e-5,
      adam_beta1: 0.9,
      adam_beta2: 0.999,
      adam_epsilon: 1e-8,
      weight_decay: 0,
      max_grad_norm: 1,
    })
    expect(recipe.sft?.max_steps).toBeUndefined()
    expect(recipe.grpo).toMatchObject({
      num_generations: 8,
      temperature: 1,
      loss_type: 'dr_grpo',
      scale_rewards: 'none',
      epsilon: 0.2,
      beta: 0,
      num_iterations: 1,
      importance_sampling_level: 'token',
      mask_truncated_completions: false,
      enable_thinking: true,
      learning_rate: 1e-6,
      oracle: { rule: 'none', max_failure_rate: 0.1, failure_window: 1 },
    })
    expect(recipe.grpo?.rewards).toEqual([
      { name: 'accuracy', weight: 1 },
      { name: 'format', weight: 0.2 },
      { name: 'korean', weight: 0.2 },
      { name: 'overlong', weight: 0.2 },
    ])
    expect(recipe.eval).toMatchObject({ max_samples: 500, temperature: 0, samples_to_show: 3 })
  })

  test('pretraining learns from every token', () => {
    const recipe = load('pretrain: {data: [{path: a.jsonl}]}')
    expect(recipe.pretrain?.assistant_only_loss).toBe(false)
  })

  test('a reward that is named has the weight of its kind', () => {
    const recipe = load(
      'grpo: {data: [{path: a.jsonl}], rewards: [{name: korean}, {name: accuracy}]}',
    )
    expect(recipe.grpo?.rewards.map(r => r.weight)).toEqual([0.2, 1])
  })

  test('two recipes share no objects', () => {
    const first = load(MINIMAL)
    first.grpo!.rewards[0]!.weight = 9
    expect(load(MINIMAL).grpo!.rewards[0]!.weight).toBe(1)
  })

  test('objects are resolved as files are', () => {
    const recipe = resolveRecipe({ sft: { data: [{ path: 'a.parquet' }] }, output_dir: 'x' })
    expect(recipe.sft?.max_length).toBe(1024)
    expect(recipe.output_dir).toBe('x')
    expect(failure(() => resolveRecipe({ seed: -1, eval: { data: [{ path: 'a.jsonl' }] } }))).toBe(
      'seed: expected at least 0, got -1',
    )
  })
})

describe('files', () => {
  test('JSON with tabs and YAML with anchors both load', () => {
    const json = '{\n\t"seed": 7,\n\t"sft": {"data": [{"path": "a.jsonl"}]}\n}'
    expect(load(json).seed).toBe(7)
    const yaml = 'sft:\n  data: &d [{path: a.jsonl}]\n  eval_data: *d\n'
    expect(load(yaml).sft?.eval_data).toEqual([{ path: 'a.jsonl', weight: 1 }])
  })

  test('a path is read; its stem is the name of the run', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'kogrpo-')), 'my-run.yaml')
    writeFileSync(file, MINIMAL)
    const loaded = loadRecipe(file)
    expect(loaded.file).toBe(file)
    expect(loaded.recipe.name).toBe('my-run')
    expect(loaded.warnings).toEqual([])
  })

  test('a missing recipe names where it was looked for', () => {
    const message = failure(() => loadRecipe('no-such-recipe.yaml'))
    expect(message).toContain('recipe "no-such-recipe.yaml" not found (looked at ')
    expect(message).toContain('Give a .yaml or .json file, or one of the built-in recipes: ')
  })

  test('a directory is no recipe', () => {
    expect(failure(() => loadRecipe(tmpdir()))).toContain('is a directory, not a recipe file')
  })

  test.each([
    ['', 'r.yaml: expected a recipe (keys such as model, sft, grpo, eval), found nothing'],
    [
      '- a',
      'r.yaml: expected a recipe (keys such as model, sft, grpo, eval), found something else',
    ],
    [
      'seed: 1\nseed: 2\n',
      'r.yaml:2:1: not YAML: Map keys must be unique. Keep one of them\n  2 | seed: 2',
    ],
    [
      'seed: [1\nsft: 3\n',
      /^r\.yaml:2:1: not YAML: Flow sequence.*closing bracket.*\n {2}2 \| sft: 3$/,
    ],
    ['sft:\n\tdata: 1\n', /^r\.yaml:2:1: not YAML: Tabs.*\. Indent with spaces\n/],
    ['sft:\n  a: 1\n b: 2\n', /^r\.yaml:3:1: not YAML: .*begin in one column/],
    [
      'seed: 1\n',
      'r.yaml:1:1: there is nothing to do; add a stage (pretrain, sft or grpo) or eval',
    ],
  ])('%j is refused', (text, message) => {
    if (typeof message === 'string') expect(fails(text)).toBe(message)
    else expect(fails(text)).toMatch(message)
  })
})

describe('errors of one key name file, line, column, key and remedy', () => {
  const with_ = (text: string): string => fails(`${MINIMAL}${text}`)
  test.each([
    [
      'model: {dtype: int8}',
      'r.yaml:10:16: model.dtype: int8 weights are not trained; use float32 or bfloat16, or train adapters over them (lora: {})',
    ],
    ['sead: 1', 'r.yaml:10:1: sead: unknown key; did you mean "seed"?'],
    ['seed: -1', 'r.yaml:10:7: seed: expected at least 0, got -1'],
    ['seed: 1.5', 'r.yaml:10:7: seed: expected a whole number, got 1.5'],
    ['seed: one', 'r.yaml:10:7: seed: expected a number, got "one"'],
    [
      'device: cud',
      'r.yaml:10:9: device: expected one of cpu, cuda, cuda:0, cuda:1, cuda:2, cuda:3, cuda:4, cuda:5, cuda:6, cuda:7, got "cud"; did you mean "cuda"?',
    ],
    [
      'device: 3',
      'r.yaml:10:9: device: expected one of cpu, cuda, cuda:0, cuda:1, cuda:2, cuda:3, cuda:4, cuda:5, cuda:6, cuda:7, got 3',
    ],
    ['name: a b', 'r.yaml:10:7: name: expected letters, digits, ".", "_" or "-", got "a b"'],
    ['model: mini', 'r.yaml:10:8: model: expected keys (an object), got "mini"'],
    ['model: {path: ""}', 'r.yaml:10:15: model.path: expected some text, got ""'],
    [
      'logging:\n  heartbeat: 3',
      'r.yaml:11:3: logging.heartbeat: unknown key in logging; did you mean "heartbeat_seconds"?',
    ],
    [
      'logging: {completions: yes}',
      'r.yaml:10:24: logging.completions: expected true or false, got "yes"',
    ],
    [
      'model: {zzzzzz: 1}',
      `r.yaml:10:9: model.zzzzzz: unknown key in model; known keys: ${knownKeys(schemaAt(['model'])!).join(', ')}`,
    ],
    ['pretrain: {}', 'r.yaml:10:1: pretrain.data: is required (a list)'],
    [
      'pretrain: {data: []}',
      'r.yaml:10:18: pretrain.data: expected at least one source, e.g. - path: FILE.jsonl',
    ],
    [
      'pretrain: {data: [{path: a.csv}]}',
      'r.yaml:10:26: pretrain.data.0.path: expected a built-in such as "mini:sft", or a path that ends in .jsonl, .jsonl.gz or .parquet, got "a.csv"',
    ],
    ['pretrain: {data: [{}]}', 'r.yaml:10:19: pretrain.data.0.path: is required (text)'],
    [
      'pretrain: {data: [{path: a.jsonl, columns: {question: q}}]}',
      'r.yaml:10:45: pretrain.data.0.columns.question: unknown key in pretrain.data.0.columns; known keys: messages, prompt, completion, reasoning, text, system, tools, answer',
    ],
  ])('%j', (text, message) => {
    expect(with_(`${text}\n`)).toBe(message)
  })

  test('several errors are listed together', () => {
    expect(with_('seed: x\nthreds: 2\n')).toBe(
      'r.yaml: 2 errors\n' +
        '  r.yaml:10:7: seed: expected a number, got "x"\n' +
        '  r.yaml:11:1: threds: unknown key; did you mean "threads"?',
    )
  })

  test('places inside an aliased value are those of the anchor', () => {
    expect(fails('sft:\n  data: &d [{path: a.csv}]\n  eval_data: *d\n')).toContain(
      'r.yaml:2:20: sft.data.0.path',
    )
  })

  test.each([
    [
      ['rewards: [{name: accurcy}]'],
      /^r\.yaml:3:20: grpo\.rewards\.0\.name: expected one of accuracy, format, korean, overlong[a-z, ]*, got "accurcy"; did you mean "accuracy"\?$/,
    ],
    [
      ['rewards: [{weight: 1}]'],
      /grpo\.rewards\.0\.name: is required: one of accuracy, format, korean, overlong[a-z, ]*$/,
    ],
    [
      ['rewards: [{name: format, wieght: 1}]'],
      /^r\.yaml:3:28: grpo\.rewards\.0\.wieght: unknown key in grpo\.rewards\.0; did you mean "weight"\?$/,
    ],
    [['rewards: []'], /grpo\.rewards: expected at least one reward, e\.g\. - name: accuracy$/],
    [['temperature: 0'], /^r\.yaml:3:16: grpo\.temperature: expected more than 0, got 0$/],
    [['adam_beta1: 1'], /grpo\.adam_beta1: expected less than 1, got 1$/],
    [
      ['loss_type: drgrpo'],
      /expected one of dr_grpo, grpo, dapo, bnpo, cispo, sapo, got "drgrpo"; did you mean "dr_grpo"\?$/,
    ],
    [
      ['oracle: {rule: override, judge: {kind: openai, base_url: nowhere, model: m}}'],
      /grpo\.oracle\.judge\.base_url: expected a URL such as http:\/\/localhost:8000\/v1, without user, password or query/,
    ],
    [
      ['oracle: {rule: override, judge: {kind: openai, base_url: "http://h/v1"}}'],
      /grpo\.oracle\.judge\.model: is required \(text\)$/,
    ],
  ])('grpo with %j', (lines, message) => {
    expect(grpoFails(...lines)).toMatch(message)
  })
})

describe('rules between keys', () => {
  test('completions per step must be whole groups; the nearest valid numbers are named', () => {
    expect(grpoFails('per_device_train_batch_size: 4', 'gradient_accumulation_steps: 3')).toBe(
      'r.yaml:3:32: grpo.per_device_train_batch_size: 4 completions × gradient_accumulation_steps 3 = 12 ' +
        'completions per optimizer step, which is not a multiple of num_generations 8; nearest valid: ' +
        'gradient_accumulation_steps 2 (8 completions), or gradient_accumulation_steps 4 (16 completions), or ' +
        'per_device_train_batch_size 8 (24 completions), or num_generations 6, or num_generations 12',
    )
  })

  test('the numbers the error names are indeed valid', () => {
    const sizes =
      'per_device_train_batch_size: 6, gradient_accumulation_steps: 5, num_generations: 8'
    const text = `grpo: {data: [{path: mini:grpo}], ${sizes}}`
    const found = [
      ...fails(text)
        .split('nearest valid: ')[1]!
        .matchAll(/([a-z_]+) (\d+)/g),
    ]
    expect(found.length).toBe(5)
    for (const [, key, value] of found) {
      expect(() => load(text, over(`grpo.${key}`, value!))).not.toThrow()
    }
  })

  test('a group of one is refused with the reason', () => {
    const message = grpoFails('num_generations: 1')
    expect(message).toContain('r.yaml:3:20: grpo.num_generations: expected at least 2')
    expect(message).toContain('nothing would be learned')
  })

  test('dr_grpo with a division by std', () => {
    expect(grpoFails('scale_rewards: group')).toMatch(
      /^r\.yaml:3:18: grpo\.scale_rewards: Dr\. GRPO does not divide .* use scale_rewards: none, or loss_type: grpo/,
    )
    const text = 'grpo: {data: [{path: mini:grpo}], loss_type: dr_grpo, scale_rewards: group}'
    const { recipe, warnings } = parseRecipe(text, 'r.yaml')
    expect(recipe.grpo?.scale_rewards).toBe('group')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('this run is not Dr. GRPO')
    expect(load(text, over('grpo.loss_type', 'grpo')).grpo?.loss_type).toBe('grpo')
  })

  test.each([
    [['delta: 1.1'], 'grpo.delta: expected more than 1 + epsilon_high = 1.2, got 1.1'],
    [['rewards: [{name: format}, {name: format}]'], '"format" stands in the list twice'],
    [['rewards: [{name: format, weight: 0}]'], 'every weight is 0'],
    [
      ['oracle: {rule: appeal}'],
      'grpo.oracle.rule: "appeal" needs a judge; add judge: { kind: program }',
    ],
    [
      ['oracle: {rule: veto, judge: {kind: program}}', 'rewards: [{name: format}]'],
      'add - name: accuracy, or set rule: none',
    ],
    [
      ['eval_steps: 5'],
      'grpo.eval_steps: needs held-out problems; add eval with its data, or set eval_steps: 0',
    ],
  ])('%j', (lines, part) => {
    expect(grpoFails(...lines)).toContain(part)
  })

  test('the best model is chosen among evaluations', () => {
    expect(grpoFails('load_best_model_at_end: true')).toContain(
      'grpo.load_best_model_at_end: needs evaluations between the steps to choose from; set grpo.eval_steps',
    )
    expect(grpoFails('metric_for_best_model: eval_acuracy')).toContain(
      'got "eval_acuracy"; did you mean "eval_accuracy"?',
    )
    const idle = 'sft: {data: [{path: mini:sft}], greater_is_better: true}'
    expect(parseRecipe(idle, 'r.yaml').warnings.join()).toContain('no effect without metric_for')
  })

  test.each([
    [
      'sft: {data: [{path: mini:sft}, {path: a.jsonl, options: {noise: 0}}]}',
      'r.yaml:1:57: sft.data.1.options: are those of a built-in set, and "a.jsonl" is a file; remove them, or name a built-in set such as mini:sft',
    ],
    [
      'grpo: {data: [{path: a.parquet, options: {}}]}',
      'r.yaml:1:42: grpo.data.0.options: are those of a built-in set, and "a.parquet" is a file',
    ],
    [
      'eval: {data: [{path: mini:eval, weight: 2}]}',
      'r.yaml:1:41: eval.data.0.weight: is a share of training data, and held-out data is evaluated whole; remove it, or set size to take fewer samples',
    ],
    [
      'sft: {data: [{path: a.jsonl, weight: 2}], eval_data: [{path: b.jsonl, weight: 0.5}]}',
      'r.yaml:1:79: sft.eval_data.0.weight: is a share of training data',
    ],
    [
      'sft: {data: [{path: a.jsonl, domain: sums}]}',
      'r.yaml:1:38: sft.data.0.domain: counts the prompts of grpo.data only; remove it',
    ],
    [
      'eval: {data: [{path: a.jsonl, domain: sums}]}',
      'eval.data.0.domain: counts the prompts of grpo.data only; remove it',
    ],
  ])('a source without use for a key: %s', (text, message) => {
    expect(fails(text)).toContain(message)
  })

  test('what is of use in a source passes, as does a default that is written out', () => {
    const text =
      'grpo: {data: [{path: mini:grpo, weight: 2, domain: sums, options: {noise: 0}}, {path: a.jsonl, weight: 3}]}\n' +
      'eval: {data: [{path: mini:eval, weight: 1, options: {minSteps: 2}}]}\n'
    expect(parseRecipe(text, 'r.yaml').warnings).toEqual([])
  })

  test('evaluation steps need evaluation data', () => {
    expect(fails('sft: {data: [{path: a.jsonl}], eval_steps: 2}')).toBe(
      'r.yaml:1:44: sft.eval_steps: needs held-out data; add sft.eval_data, or set eval_steps: 0',
    )
  })

  test.each([
    [
      'grpo: {data: [{path: a.jsonl}], oracle: {judge: {kind: program}}}',
      'grpo.oracle.judge: is never asked',
    ],
    [
      'sft: {data: [{path: a.jsonl}], lr_scheduler_type: linear, min_lr_ratio: 0.2}',
      'sft.min_lr_ratio: has no effect with lr_scheduler_type "linear"',
    ],
  ])('%s warns', (text, part) => {
    const { warnings } = parseRecipe(text, 'r.yaml')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(part)
  })
})

describe('dotted overrides', () => {
  test('go before the file, which goes before the defaults; the last wins', () => {
    const text = `${MINIMAL}seed: 7\n`
    expect(load(text).seed).toBe(7)
    expect(load(text, over('seed', '8', 'seed', '9')).seed).toBe(9)
    expect(load(text, over('seed', 'null')).seed).toBe(42)
  })

  test('are typed by the schema', () => {
    const recipe = load(
      MINIMAL,
      over(
        'grpo.learning_rate',
        '1e-4',
        'grpo.mask_truncated_completions',
        'true',
        'sft.packing',
        'false',
        'sft.data.0.path',
        '7.jsonl',
        'sft.data.1.path',
        'mini:more',
        'sft.data.1.columns.prompt',
        '3',
        'grpo.rewards.1.weight',
        '0.5',
        'grpo.oracle.judge',
        '{kind: openai, base_url: "http://h/v1", model: m}',
        'grpo.oracle.rule',
        'both',
        'grpo.oracle.judge.timeout_s',
        '5',
        'eval.data',
        '[{path: other.jsonl, size: 3}]',
        'sft.data.1.options.families',
        '[age, time]',
      ),
    )
    expect(recipe.grpo?.learning_rate).toBe(1e-4)
    expect(recipe.grpo?.mask_truncated_completions).toBe(true)
    expect(recipe.sft?.packing).toBe(false)
    expect(recipe.sft?.data).toEqual([
      { path: '7.jsonl', weight: 1 },
      {
        path: 'mini:more',
        weight: 1,
        columns: { prompt: '3' },
        options: { families: ['age', 'time'] },
      },
    ])
    expect(recipe.grpo?.rewards.map(r => r.weight)).toEqual([1, 0.5, 0.2, 0.2])
    expect(recipe.grpo?.oracle).toMatchObject({
      rule: 'both',
      judge: { timeout_s: 5, concurrency: 16 },
    })
    expect(recipe.eval?.data).toEqual([{ path: 'other.jsonl', size: 3, weight: 1 }])
  })

  test('a boolean alone is true; null takes a stage away', () => {
    expect(
      load(MINIMAL, [{ key: 'model.gradient_checkpointing', value: undefined }]).model
        .gradient_checkpointing,
    ).toBe(true)
    expect(load(MINIMAL, over('grpo', 'null')).grpo).toBeUndefined()
    expect(
      load('sft: {data: [{path: a.jsonl}, {path: b.jsonl}]}', over('sft.data.0', 'null')).sft
        ?.data[0]?.path,
    ).toBe('b.jsonl')
  })

  test.each([
    [
      'grpo.learning_rte',
      '1',
      '--grpo.learning_rte: unknown key "grpo.learning_rte"; did you mean "--grpo.learning_rate"?',
    ],
    ['gpro.learning_rate', '1', '--gpro.learning_rate: unknown key "gpro"; did you mean "--grpo"?'],
    ['grpo.learning_rate', 'fast', '--grpo.learning_rate: expected a number, got "fast"'],
    ['grpo.learning_rate', '', '--grpo.learning_rate: expected a number, got ""'],
    ['grpo.learning_rate', undefined, '--grpo.learning_rate: needs a value'],
    ['grpo.learning_rate', '-1', '--grpo.learning_rate: expected more than 0, got -1'],
    [
      'grpo.learning_rate.x',
      '1',
      '--grpo.learning_rate.x: "grpo.learning_rate" is a single value and has no keys below it',
    ],
    ['grpo.max_steps', '1.5', '--grpo.max_steps: expected a whole number, got 1.5'],
    ['sft.packing', 'no', '--sft.packing: expected true or false, got "no"'],
    [
      'sft.overlong',
      'skp',
      '--sft.overlong: expected one of error, skip, truncate, got "skp"; did you mean "skip"?',
    ],
    [
      'sft.data.2.path',
      'a.jsonl',
      '--sft.data.2.path: "2" is no entry of the list sft.data, which has entries 0 to 0',
    ],
    [
      'sft.data.x.path',
      'a.jsonl',
      '--sft.data.x.path: "x" is no entry of the list sft.data, which has entries 0 to 0',
    ],
    ['sft.data', 'a.jsonl', '--sft.data: expected a list such as \'[…]\', got "a.jsonl"'],
    ['sft.data', '[{', '--sft.data: cannot read "[{" as YAML: '],
    [
      'sft.data',
      '[{path: a.csv}]',
      '--sft.data: sft.data.0.path: expected a built-in such as "mini:sft"',
    ],
    [
      'model',
      'dir',
      "--model: expected keys such as '{key: value}', or one of its keys: --model.KEY",
    ],
    ['pretrain.max_steps', '3', '--pretrain.max_steps: pretrain.data: is required (a list)'],
    [
      'sft.data.0.options.__proto__.x',
      '1',
      '--sft.data.0.options.__proto__.x: "sft.data.0.options" has no keys below it',
    ],
    ['grpo.num_generations', '1', '--grpo.num_generations: expected at least 2'],
  ])('--%s %s', (key, value, message) => {
    expect(fails(MINIMAL, [{ key, value }]).startsWith(message)).toBe(true)
  })
})
