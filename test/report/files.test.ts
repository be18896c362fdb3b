import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseRecipe, resolveRecipe } from '../../lib/config/load.ts'
import { KogrpoError } from '../../lib/errors.ts'
import { CompletionsWriter } from '../../lib/report/completions-writer.ts'
import { type EvalResults, isTimingKey, type Summary } from '../../lib/report/events.ts'
import { MetricsWriter } from '../../lib/report/metrics-writer.ts'
import { Reporter } from '../../lib/report/reporter.ts'
import { createRunDirectory } from '../../lib/report/run-directory.ts'
import { SummaryWriter, showcaseLines, summaryLines } from '../../lib/report/summary.ts'

const scratch = (): string => mkdtempSync(join(tmpdir(), 'kogrpo-report-'))
const lines = (file: string): unknown[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

function failure(run: () => unknown): KogrpoError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(KogrpoError)
    return error as KogrpoError
  }
  throw new Error('no error was thrown')
}

describe('metrics.jsonl', () => {
  test('has one object a step, on disk at once, with finite numbers or null', () => {
    const file = join(scratch(), 'metrics.jsonl')
    const reporter = new Reporter([new MetricsWriter(file)])
    expect(existsSync(file)).toBe(false)
    reporter.emit({ type: 'note', level: 'info', message: 'not a step' })
    reporter.emit({
      type: 'step',
      stage: 'grpo',
      step: 1,
      metrics: { loss: Number.NaN, grad_norm: Number.POSITIVE_INFINITY, reward: 0.1, kl: null },
    })
    expect(readFileSync(file, 'utf8')).toBe(
      '{"stage":"grpo","step":1,"loss":null,"grad_norm":null,"reward":0.1,"kl":null}\n',
    )
    reporter.emit({ type: 'step', stage: 'grpo', step: 2, metrics: { 'timing_s/gen': 1.5 } })
    expect(lines(file)[1]).toEqual({ stage: 'grpo', step: 2, 'timing_s/gen': 1.5 })
    reporter.close()
    reporter.close()
    expect(() => reporter.emit({ type: 'run_end' })).toThrow('after the reporter was closed')
  })

  test('an unwritable file is an error that names it', () => {
    const file = join(scratch(), 'missing', 'metrics.jsonl')
    const error = failure(() =>
      new MetricsWriter(file).handle({ type: 'step', stage: 'sft', step: 1, metrics: {} }),
    )
    expect(error.code).toBe('E_REPORT')
    expect(error.message).toContain(`cannot write ${file}: ENOENT`)
  })

  test('timing keys are told from the rest', () => {
    expect(['timing_s/gen', 'perf/throughput', 'step_time'].every(isTimingKey)).toBe(true)
    expect(['loss', 'reward', 'completions/mean_length', 'sampling/x'].some(isTimingKey)).toBe(
      false,
    )
  })
})

test('completions.jsonl has one object a completion', () => {
  const file = join(scratch(), 'completions.jsonl')
  const writer = new CompletionsWriter(file)
  const row = {
    stage: 'grpo' as const,
    step: 3,
    prompt: '사과 3개?',
    completion: '<think>줄\n바꿈</think>3',
    prompt_tokens: 5,
    completion_tokens: 9,
    rewards: { accuracy: 1, overlong: null },
    reward: 1,
    checker: true,
    judge: null,
    advantage: -0.25,
    answer: '3',
  }
  writer.handle({ type: 'completions', rows: [row, { ...row, advantage: 0.25 }] })
  writer.close()
  expect(lines(file)).toEqual([row, { ...row, advantage: 0.25 }])
})

describe('the run directory', () => {
  const recipe = (directory: string) =>
    resolveRecipe({ output_dir: directory, sft: { data: [{ path: 'mini:sft' }] } })

  test('holds config.json, which is a recipe of the same run', () => {
    const path = join(scratch(), 'a', 'b')
    const config = recipe(path)
    const directory = createRunDirectory(config)
    expect(readdirSync(path)).toEqual(['config.json'])
    expect(parseRecipe(readFileSync(directory.config, 'utf8'), 'config.json').recipe).toEqual(
      config,
    )
  })

  test('a directory that holds something is refused with the remedy', () => {
    const path = scratch()
    for (const name of ['a', 'b', 'c', 'd', 'e']) writeFileSync(join(path, name), '')
    const error = failure(() => createRunDirectory(recipe(path)))
    expect(error.code).toBe('E_OUTPUT_DIR')
    expect(error.message).toBe(
      `the run directory ${path} is not empty (it holds a, b, c, d, …); choose another --output-dir, or add --overwrite to replace the earlier run`,
    )
    expect(readdirSync(path)).toHaveLength(5)
  })

  test('overwrite removes what a run writes and nothing else', () => {
    const path = scratch()
    createRunDirectory(recipe(path))
    mkdirSync(join(path, 'sft'))
    for (const name of ['metrics.jsonl', 'summary.json', 'sft/model.safetensors', 'my notes']) {
      writeFileSync(join(path, name), 'x')
    }
    createRunDirectory(recipe(path), { overwrite: true })
    expect(readdirSync(path)).toEqual(['config.json', 'my notes'])
  })

  test('overwrite leaves a directory alone that is no run', () => {
    const path = scratch()
    mkdirSync(join(path, 'sft'))
    const error = failure(() => createRunDirectory(recipe(path), { overwrite: true }))
    expect(error.message).toContain(
      'has no config.json of a run, so it is not the directory of an earlier run',
    )
    expect(readdirSync(path)).toEqual(['sft'])
    // A model's directory has a config.json too.
    writeFileSync(join(path, 'config.json'), '{"model_type": "qwen3"}')
    expect(failure(() => createRunDirectory(recipe(path), { overwrite: true })).message).toContain(
      'has no config.json of a run',
    )
    expect(readFileSync(join(path, 'config.json'), 'utf8')).toBe('{"model_type": "qwen3"}')
  })

  test('a file in the way is an error that names it', () => {
    const file = join(scratch(), 'file')
    writeFileSync(file, '')
    expect(failure(() => createRunDirectory(recipe(file))).message).toContain(
      `cannot use ${file} as the run directory: ENOTDIR`,
    )
  })
})

const results = (accuracy: number, korean: number): EvalResults => ({
  accuracy,
  accuracy_ci95: [accuracy - 0.04, accuracy + 0.04],
  korean_thinking_rate: korean,
  format_rate: 0.99,
  mean_length: 87.25,
  n: 500,
})

const summary: Summary = {
  base: results(0.41, 0.01),
  sft: results(0.5, 0.985),
  rl: results(0.654, 1),
  paired_differences: {
    sft_minus_base: { accuracy: { difference: -0.012, ci95: [-0.05, 0.026], n: 500 } },
    rl_minus_sft: { accuracy: { difference: 0.154, ci95: [0.11, 0.198], n: 500 } },
  },
  wall_s: 123.4,
  seed: 42,
}

describe('summary', () => {
  test('summary.json is written at the end of the run', () => {
    const file = join(scratch(), 'summary.json')
    const writer = new SummaryWriter(file)
    writer.handle({ type: 'run_end' })
    expect(existsSync(file)).toBe(false)
    writer.handle({ type: 'run_end', summary })
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(summary)
  })

  test('the table of base, SFT and RL', () => {
    expect(summaryLines(summary)).toEqual([
      '      accuracy  95 % interval  Korean thinking  format  mean length    n',
      'base    41.0 %  37.0 … 45.0 %            1.0 %  99.0 %         87.3  500',
      'SFT     50.0 %  46.0 … 54.0 %           98.5 %  99.0 %         87.3  500',
      'RL      65.4 %  61.4 … 69.4 %          100.0 %  99.0 %         87.3  500',
      '',
      'SFT − base   −1.2 points of accuracy  (95 %: −5.0 … +2.6, n = 500)',
      'RL − SFT    +15.4 points of accuracy  (95 %: +11.0 … +19.8, n = 500)',
    ])
  })

  test('stages that did not run are left out; nothing evaluated, nothing shown', () => {
    const { wall_s, seed } = summary
    expect(summaryLines({ paired_differences: {}, wall_s, seed })).toEqual([])
    const oracle = {
      rule: 'both',
      judge: 'openai (m at http://localhost:8000/v1)',
      ...{ tp: 60, fp: 5, fn: 15, tn: 18, agreement: 78 / 98, kappa: 0.4567, calls: 100 },
      ...{ failures: 2, failure_rate: 0.02, cache_hits: 40, requests: 63 },
      ...{ prompt_tokens: 9000, completion_tokens: 500 },
    }
    const judged = [
      'oracle both: checker and judge right 60, wrong 18, only the checker says right 5, only the judge 15, agreement 79.6 %, kappa 0.46',
      '100 verdicts asked for, 2 failed (2.0 %), 40 from the cache, 63 requests, 9000 tokens read, 500 written',
    ]
    expect(summaryLines({ paired_differences: {}, wall_s, seed, oracle })).toEqual(judged)
    expect(summaryLines({ ...summary, oracle }).slice(-3)).toEqual(['', ...judged])
    const one = summaryLines({
      sft: { ...results(Number.NaN, 0), n: 0 },
      paired_differences: {},
      wall_s,
      seed,
    })
    expect(one).toHaveLength(2)
    expect(one[1]).toMatch(/^SFT +– +– … – % +0\.0 %/)
  })

  test('one problem and the answers of each model', () => {
    const shown = showcaseLines(
      {
        prompt: '사과 열 개를 다섯 명이 나누면 몇 개씩인가?',
        answer: '2',
        completions: [
          { stage: 'base', text: '<think>\nTen apples\n</think>\n2', correct: true },
          { stage: 'rl', text: '\u001b[2J', correct: false },
          { stage: 'sft', text: '' },
        ],
      },
      30,
    )
    expect(shown).toEqual([
      'A held-out problem',
      '    사과 열 개를 다섯 명이',
      '    나누면 몇 개씩인가?',
      '  answer: 2',
      '',
      '  base (correct)',
      '    <think>',
      '    Ten apples',
      '    </think>',
      '    2',
      '',
      '  RL (wrong)',
      '    ␛[2J',
      '',
      '  SFT',
      '    (empty)',
    ])
  })
})
