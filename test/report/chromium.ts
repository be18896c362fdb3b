/// <reference lib="dom" />
/** What the tests of the report page ask a real browser (Chromium, where one is installed). */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'

/** The widths and colour schemes that the page must be readable in. */
export const VIEWS = [
  [390, 'light'],
  [390, 'dark'],
  [1440, 'light'],
  [1440, 'dark'],
] as const

export function findChromium(): string | undefined {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
    } catch {}
  }
  return undefined
}

/** A page, and what went wrong on it so far: words on the console, errors, requests of anything. */
export interface Opened {
  page: Page
  complaints: string[]
}

export async function openPage(
  browser: Browser,
  url: string,
  width: number,
  colorScheme: 'light' | 'dark',
): Promise<Opened> {
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
  await page.waitForSelector('.completions .card')
  return { page, complaints }
}

/** Scrolls every plot into view; the titles of those in which no line of the legend has ink. */
export async function blankPlots(page: Page): Promise<string[]> {
  for (const figure of await page.locator('.plot').all()) {
    await figure.scrollIntoViewIfNeeded()
    await figure.locator('canvas').waitFor()
  }
  return await page.evaluate(() =>
    [...document.querySelectorAll('figure')].flatMap(figure => {
      const canvas = figure.querySelector('canvas')
      if (!canvas) return []
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
      const inked = [...figure.querySelectorAll('.swatch')].some(swatch => {
        const [r, g, b] = getComputedStyle(swatch).backgroundColor.match(/\d+/g)!.map(Number)
        let pixels = 0
        for (let i = 0; i < data.length; i += 4) {
          const apart =
            Math.abs(data[i]! - r!) + Math.abs(data[i + 1]! - g!) + Math.abs(data[i + 2]! - b!)
          if (data[i + 3]! > 200 && apart < 24) pixels++
        }
        return pixels >= 4
      })
      return inked ? [] : [figure.querySelector('h3')?.textContent ?? '?']
    }),
  )
}

/** How many pixels the page is wider than the screen. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
}

/** What axe finds wrong. */
export async function violations(page: Page): Promise<string[]> {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  await page.evaluate(axe)
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
  })
}

/**
 * Milliseconds that the page itself takes, in turn, to filter the completions by verdict and to turn a
 * page, each until it is laid out: the least of several, since other processes may be at work.
 */
export function browsingTimes(page: Page): Promise<{ filter: number; turn: number }> {
  return page.evaluate(() => {
    const section = document.querySelector('.completions')!
    const verdict = [...section.querySelectorAll('select')].find(select =>
      [...select.options].some(({ value }) => value === 'fp'),
    )!
    const timed = (work: () => void): number => {
      const started = performance.now()
      work()
      section.getBoundingClientRect()
      return performance.now() - started
    }
    const choose = (value: string): number =>
      timed(() => {
        verdict.value = value
        verdict.dispatchEvent(new Event('change', { bubbles: true }))
      })
    const turn = (which: number): number =>
      timed(() => section.querySelectorAll<HTMLButtonElement>('.pager button')[which]!.click())
    const filtering = ['tp', '', 'tn', '', 'tp', ''].map(choose)
    return { filter: Math.min(...filtering), turn: Math.min(...[1, 1, 0, 1, 1, 0].map(turn)) }
  })
}
