/// <reference lib="dom" />
/**
 * The report in a real browser (Chromium, where one is installed): nothing is requested, nothing is
 * complained about, every plot has ink, the browser of 10,000 completions filters and pages, and axe
 * finds nothing wrong on a phone and on a desktop, in light and in dark.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reportPage } from '../../lib/report/page/page.ts'
import type { RunData } from '../../lib/report/page/run-data.ts'
import { kogrpo } from '../cli/running.ts'

function findChromium(): string | undefined {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
    } catch {}
  }
  return undefined
}

const METRICS = [
  ...['reward', 'rewards/accuracy/mean', 'rewards/checker/mean', 'judge/tp', 'judge/fp', 'entropy'],
  ...['korean_thinking_rate', 'completions/mean_length', 'grad_norm', 'learning_rate', 'loss'],
  ...['frac_reward_zero_std', 'perf/throughput', 'timing_s/gen', 'timing_s/step', 'something_new'],
]

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
  const address = (...names: string[]): string => {
    const file = join(mkdtempSync(join(tmpdir(), 'kogrpo-browser-')), 'report.html')
    writeFileSync(file, reportPage(names.map(exampleRun)))
    return `file://${file}`
  }

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
  })
  afterAll(async () => await browser?.close())

  async function open(url: string, width: number, colorScheme: 'light' | 'dark'): Promise<Page> {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme })
    const complaints: string[] = []
    page.on('console', message => complaints.push(message.text()))
    page.on('pageerror', error => complaints.push(error.message))
    page.on('request', request => {
      if (!request.url().startsWith('file:') && !request.url().startsWith('data:')) {
        complaints.push(`request of ${request.url()}`)
      }
    })
    await page.goto(url)
    await page.waitForSelector('#completions .card')
    expect(complaints).toEqual([])
    return page
  }

  /** Scrolls every plot into view, and counts those without ink. */
  async function blankPlots(page: Page): Promise<number> {
    for (const figure of await page.locator('.plot').all()) {
      await figure.scrollIntoViewIfNeeded()
      await figure.locator('canvas').waitFor()
    }
    return await page.evaluate(
      () =>
        [...document.querySelectorAll('canvas')].filter(canvas => {
          const { width, height } = canvas
          const pixels = canvas.getContext('2d')!.getImageData(0, 0, width, height).data
          const colours = new Set<number>()
          for (let i = 0; i < pixels.length; i += 4) {
            if (pixels[i + 3]! > 200)
              colours.add((pixels[i]! << 16) | (pixels[i + 1]! << 8) | pixels[i + 2]!)
          }
          return colours.size < 3
        }).length,
    )
  }

  test.each([
    [390, 'light'],
    [390, 'dark'],
    [1440, 'light'],
    [1440, 'dark'],
  ] as const)(
    'at %i px in %s: every plot has ink, axe is content, nothing overflows',
    async (width, scheme) => {
      const page = await open(address('one'), width, scheme)
      expect(await blankPlots(page)).toBe(0)
      expect(await page.locator('.plot').count()).toBeGreaterThan(10)
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect(overflow).toBeLessThanOrEqual(0)
      const axe = readFileSync(
        createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
        'utf8',
      )
      await page.evaluate(axe)
      const violations = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as {
          axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
        }
        return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
      })
      expect(violations).toEqual([])
      await page.close()
    },
  )

  test('filters, pages and follows a prompt through 10,000 completions', async () => {
    const page = await open(address('one'), 1440, 'light')
    const status = page.locator('#completions .status')
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
    // What the page itself takes to filter 10,000 completions and draw the first 20: the least of
    // several, since other processes may be at work.
    const milliseconds = await page.evaluate(() => {
      const verdict = [...document.querySelectorAll('select')].find(select =>
        [...select.options].some(({ value }) => value === 'fp'),
      )!
      const took = ['fp', '', 'fn', '', 'fp', ''].map(value => {
        const started = performance.now()
        verdict.value = value
        verdict.dispatchEvent(new Event('input', { bubbles: true }))
        verdict.dispatchEvent(new Event('change', { bubbles: true }))
        document.body.getBoundingClientRect()
        return performance.now() - started
      })
      return Math.min(...took)
    })
    expect(milliseconds).toBeLessThan(200)
    await page.close()
  })

  test('the miniature, cut short: its run ends with a report that shows what it wrote', async () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'kogrpo-browser-')), 'run')
    const short = ['--sft.max_steps', '2', '--grpo.max_steps', '2', '--eval.max_samples', '8']
    const { code } = await kogrpo(['train', 'mini', '--output-dir', directory, ...short])
    expect(code).toBe(0)
    const page = await open(`file://${join(directory, 'report.html')}`, 1440, 'light')
    expect(await blankPlots(page)).toBe(0)
    expect(await page.locator('.results tbody tr').count()).toBe(3)
    // 2 × 256 of the steps and 3 × 8 of the evaluations.
    const status = await page.locator('#completions .status').textContent()
    expect(status).toMatch(/^536 of 536 completions/)
    await page.close()
  })

  test('compares runs: one plot a metric with a line for each run', async () => {
    const page = await open(address('first', 'second'), 1440, 'light')
    const legend = page.locator('figure', {
      has: page.getByRole('heading', { name: 'reward', exact: true }),
    })
    expect(await legend.locator('.legend li').allTextContents()).toHaveLength(2)
    expect(await page.locator('.results tbody tr').count()).toBe(4)
    await page.close()
  })
})
