/// <reference lib="dom" />
/**
 * The report in a real browser (Chromium, where one is installed): nothing is requested, nothing is
 * complained about, every plot has ink, the browser of 10,000 completions filters and pages, and axe
 * finds nothing wrong on a phone and on a desktop, in light and in dark.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Language } from '../../lib/messages/language.ts'
import { reportPage } from '../../lib/report/page/page.ts'
import type { RunData } from '../../lib/report/page/run-data.ts'
import { kogrpo } from '../cli/running.ts'
import {
  blankPlots,
  browsingTimes,
  findChromium,
  openPage,
  overflow,
  VIEWS,
  violations,
} from './chromium.ts'

const METRICS = [
  ...['reward', 'rewards/accuracy/mean', 'rewards/checker/mean', 'judge/tp', 'judge/fp', 'entropy'],
  ...['korean_thinking_rate', 'completions/mean_length', 'grad_norm', 'learning_rate', 'loss'],
  ...['frac_reward_zero_std', 'perf/throughput', 'timing_s/gen', 'timing_s/step', 'something_new'],
]

/** Tokens of two characters, less and less likely. */
function tokensOf(text: string): { token_ends: number[]; token_logprobs: number[] } {
  const count = Math.ceil(text.length / 2)
  const from = (place: number): number => Math.min(text.length, 2 * (place + 1))
  const places = Array.from({ length: count }, (_, place) => place)
  return { token_ends: places.map(from), token_logprobs: places.map(place => -place / 4) }
}

/** A run with 10,000 completions, 8 of each prompt and step. */
function exampleRun(name: string): RunData {
  const steps = Array.from({ length: 60 }, (_, i) => i + 1)
  const result = {
    accuracy: 0.5,
    accuracy_ci95: [0.47, 0.53] as [number, number],
    korean_thinking_rate: 1,
    format_rate: 1,
    mean_length: 40,
    n: 1000,
  }
  return {
    name,
    recipe: { seed: 1 },
    stages: [
      {
        stage: 'grpo',
        steps,
        series: Object.fromEntries(
          METRICS.map((key, k) => [key, steps.map(step => Math.sin(step / (k + 2)) + 2)]),
        ),
      },
    ],
    summary: {
      base: result,
      rl: result,
      paired_differences: {
        rl_minus_base: { accuracy: { difference: 0.01, ci95: [-0.01, 0.03], n: 1000 } },
      },
      oracle: {
        rule: 'both',
        judge: 'program',
        ...{ tp: 6000, fp: 40, fn: 10, tn: 3950, agreement: 0.995, kappa: 0.98 },
        ...{ calls: 10_000, failures: 0, failure_rate: 0, cache_hits: 0, requests: 0 },
        ...{ prompt_tokens: 0, completion_tokens: 0 },
      },
      best: {
        grpo: { step: 50, metric: 'eval_accuracy', value: 0.5, checkpoint: 'checkpoints/x' },
      },
      wall_s: 60,
      seed: 1,
    },
    completions: Array.from({ length: 10_000 }, (_, i) => ({
      stage: 'grpo' as const,
      step: 1 + Math.floor(i / 200),
      prompt: `문제 ${i % 40}: 사과가 ${i % 40}개 있습니다. 모두 몇 개입니까?`,
      completion: `<think>\n생각 ${i}\n</think>\n\n정답: ${i % 7}개`,
      prompt_tokens: 20,
      completion_tokens: 12,
      finish_reason: i % 50 === 0 ? 'length' : 'stop',
      ...tokensOf(`<think>\n생각 ${i}\n</think>\n\n정답: ${i % 7}개`),
      rewards: { accuracy: i % 2 },
      reward: i % 2,
      checker: i % 5 === 0,
      judge: i % 2 === 1,
      advantage: (i % 2) - 0.5,
      answer: '3',
    })),
    completionsTotal: 20_000,
  }
}

const executablePath = findChromium()
if (!executablePath) console.warn('skipped: no Chromium, so the report page was not opened')

describe.skipIf(!executablePath)('the report in a browser', () => {
  let browser: Browser
  const addressIn = (language: Language, ...names: string[]): string => {
    const file = join(mkdtempSync(join(tmpdir(), 'kogrpo-browser-')), 'report.html')
    writeFileSync(file, reportPage(names.map(exampleRun), { language }))
    return `file://${file}`
  }
  const address = (...names: string[]): string => addressIn('en', ...names)

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
  })
  afterAll(async () => await browser?.close())

  let all: string[][] = []
  afterEach(() => {
    const complaints = all.flat()
    all = []
    expect(complaints).toEqual([])
  })

  /** A page that nothing may go wrong on until the test is over. */
  async function open(url: string, width: number, scheme: 'light' | 'dark'): Promise<Page> {
    const { page, complaints } = await openPage(browser, url, width, scheme)
    all.push(complaints)
    return page
  }

  test.each(
    VIEWS.flatMap(view => (['en', 'ko'] as const).map(language => [...view, language] as const)),
  )(
    'at %i px in %s (%s): every plot has ink, axe is content, nothing overflows',
    async (width, scheme, language) => {
      const page = await open(addressIn(language, 'one'), width, scheme)
      expect(await blankPlots(page)).toEqual([])
      expect(await page.locator('.plot').count()).toBeGreaterThan(10)
      expect(await overflow(page)).toBeLessThanOrEqual(0)
      expect(await violations(page)).toEqual([])
      await page
        .getByLabel(language === 'ko' ? '토큰 색' : 'Colour tokens by')
        .selectOption('advantage')
      expect(await violations(page)).toEqual([])
      await page.close()
    },
  )

  test('in Korean, only names stay English', async () => {
    const page = await open(addressIn('ko', 'one'), 1440, 'light')
    const words = await page.evaluate(() => {
      // Names of metrics, of runs and of stages, and a completion's own text.
      for (const part of document.querySelectorAll(
        '.legend, pre, .prompt, .card footer span, .bars th',
      ))
        part.remove()
      // biome-ignore lint/performance/useDomNodeTextContent: what is hidden is not meant
      return [...new Set(document.querySelector('main')!.innerText.match(/[A-Za-z][A-Za-z_]+/g))]
    })
    const names = [
      'one',
      'grpo',
      'base',
      'SFT',
      'RL',
      'both',
      'best',
      'eval_accuracy',
      'max_completion_length',
    ]
    expect(words.filter(word => !names.includes(word)).sort()).toEqual(
      ['KL', 'fn', 'fp', 'nat', 'on', 'policy'].filter(word => words.includes(word)),
    )
    await page.close()
  }, 60_000)

  test('smooths the curves and stays at it from one stage to another', async () => {
    const { page, complaints } = await openPage(browser, address('one'), 1440, 'light')
    const ink = (): Promise<string> =>
      page
        .locator('.plot canvas')
        .first()
        .evaluate(canvas => (canvas as HTMLCanvasElement).toDataURL())
    await page.locator('.plot canvas').first().waitFor()
    const before = await ink()
    expect(await page.getByLabel('Smoothing').inputValue()).toBe('0')
    await page.getByLabel('Smoothing').fill('0.9')
    expect(await ink()).not.toBe(before)
    await page.getByLabel('Stage').first().selectOption('grpo')
    expect(await page.getByLabel('Smoothing').inputValue()).toBe('0.9')
    expect(complaints).toEqual([])
    await page.close()
  }, 60_000)

  test('colours tokens by log-prob, by advantage, or not', async () => {
    const page = await open(address('one'), 1440, 'light')
    const first = page.locator('.card').first().locator('.token')
    const style = (i: number): Promise<string | null> => first.nth(i).getAttribute('style')
    // -log-prob / 4, at most 1: the third token has -0.5, the last one of 13 -3.
    expect([await style(0), await style(2)]).toEqual(['--strength: 0.00;', '--strength: 0.13;'])
    expect(await first.nth(2).getAttribute('title')).toBe('log-prob -0.5')
    const colours = page.getByLabel('Colour tokens by')
    await colours.selectOption('advantage')
    // |advantage| 0.5 × (1 − exp(-0.5)) = 0.1967, its root 0.44; the first completion has advantage −0.5.
    expect(await style(2)).toBe('--strength: 0.44;')
    expect(await first.nth(2).getAttribute('class')).toBe('token down')
    await colours.selectOption('none')
    expect(await first.count()).toBe(0)
    await page.close()
  }, 60_000)

  test('shows what checker and judge said as a table', async () => {
    const page = await open(address('one'), 1440, 'light')
    expect(await page.locator('#oracle td').allTextContents()).toEqual([
      '',
      '6000',
      '40',
      '10',
      '3950',
    ])
    expect(await page.locator('#oracle li').textContent()).toContain('agreement 99.5 %, kappa 0.98')
    expect(await page.locator('#results li').allTextContents()).toEqual([
      'RL − base: +1.0 points of accuracy (95 %: −1.0 … +3.0, n = 1000) – inside the noise',
      'best of grpo: step 50, eval_accuracy 0.5',
    ])
    await page.close()
  }, 60_000)

  test('filters, pages and follows a prompt through 10,000 completions', async () => {
    const page = await open(address('one'), 1440, 'light')
    const status = page.locator('#completions .status').first()
    expect(await status.textContent()).toBe(
      "10000 of 10000 completions (an even selection of the run's 20000)",
    )
    await page.getByLabel('Verdict').selectOption('fp')
    expect(await status.textContent()).toMatch(/^1000 of 10000/)
    await page.getByRole('button', { name: 'later →' }).click()
    expect(await page.locator('.pager span').textContent()).toBe('page 2 of 50')
    await page.getByLabel('Verdict').selectOption('')
    await page.getByLabel('Text').fill('생각 4321')
    await expect.poll(() => status.textContent()).toMatch(/^1 of 10000/)
    await page.getByRole('button', { name: 'This prompt through time' }).click()
    await page.getByLabel('Text').fill('')
    await expect.poll(() => status.textContent()).toMatch(/^250 of 10000/)
    expect(await page.locator('.card ins').count()).toBeGreaterThan(0)
    await page.close()
  })

  test('is paged by keyboard alone, and quickly', async () => {
    const page = await open(address('one'), 1440, 'light')
    await page.getByLabel('Verdict').focus()
    const focused = (): Promise<string> =>
      page.evaluate(() => document.activeElement?.textContent ?? '')
    for (let presses = 0; (await focused()) !== 'later →'; presses++) {
      expect(presses).toBeLessThan(100)
      await page.keyboard.press('Tab')
    }
    await page.keyboard.press('Enter')
    expect(await page.locator('.pager span').textContent()).toBe('page 2 of 500')
    const { filter, turn } = await browsingTimes(page)
    expect(filter).toBeLessThan(200)
    expect(turn).toBeLessThan(200)
    await page.close()
  })

  test('the miniature, cut short: its run ends with a report that shows what it wrote', async () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'kogrpo-browser-')), 'run')
    const short = ['--sft.max_steps', '2', '--grpo.max_steps', '2', '--eval.max_samples', '8']
    const { code } = await kogrpo(['train', 'mini', '--output-dir', directory, ...short])
    expect(code).toBe(0)
    const page = await open(`file://${join(directory, 'report.html')}`, 1440, 'light')
    expect(await blankPlots(page)).toEqual([])
    expect(await page.locator('#results tbody tr').count()).toBe(3)
    // 2 × 256 of the steps and 3 × 8 of the evaluations.
    const status = await page.locator('#completions .status').first().textContent()
    expect(status).toMatch(/^536 of 536 completions/)
    await page.close()
  })

  test('compares runs: one plot a metric with a line for each run', async () => {
    const page = await open(address('first', 'second'), 1440, 'light')
    const legend = page.locator('figure', {
      has: page.getByRole('heading', { name: 'reward', exact: true }),
    })
    expect(await legend.locator('.legend li').allTextContents()).toHaveLength(2)
    expect(await page.locator('#results tbody tr').count()).toBe(4)
    expect(await page.locator('#oracle tbody tr').count()).toBe(4)
    expect(await violations(page)).toEqual([])
    await page.close()
  })
})
