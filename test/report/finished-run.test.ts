/**
 * The report of a run that is over, in a real browser: for whoever wants to see a whole run's page hold.
 *
 *   npx kogrpo train --output-dir runs/see
 *   KOGRPO_TEST_RUN=runs/see npx vitest run test/report/finished-run.test.ts
 *
 * With KOGRPO_TEST_PICTURES=DIR the page is also pictured there whole, in both widths, colour schemes and
 * languages. Without a run (as in the suite) it is skipped; the page of a made-up run is tested beside.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LANGUAGES } from '../../lib/messages/language.ts'
import { reportPage } from '../../lib/report/page/page.ts'
import { PAGE_COMPLETIONS } from '../../lib/report/page/report-writer.ts'
import { readRun, reportPath } from '../../lib/report/page/run-data.ts'
import {
  blankPlots,
  browsingTimes,
  findChromium,
  openPage,
  overflow,
  VIEWS,
  violations,
} from './chromium.ts'

const run = process.env.KOGRPO_TEST_RUN
const pictures = process.env.KOGRPO_TEST_PICTURES
const executablePath = findChromium()

describe.skipIf(!run || !executablePath)(
  `the report of ${run ?? 'a finished run (KOGRPO_TEST_RUN names one)'}`,
  () => {
    let browser: Browser
    /** The page as the run left it, and as it is made now in each language. */
    const pages: Record<string, string> = {}

    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
      const data = await readRun(run!, PAGE_COMPLETIONS)
      pages['as written'] = resolve(reportPath(run!))
      const directory = mkdtempSync(join(tmpdir(), 'kogrpo-finished-'))
      for (const language of LANGUAGES) {
        pages[language] = join(directory, `${language}.html`)
        writeFileSync(pages[language], reportPage([data], { language }))
      }
    }, 60_000)
    afterAll(async () => await browser?.close())

    const views = ['as written', ...LANGUAGES].flatMap(name =>
      VIEWS.map(([width, scheme]) => [name, width, scheme] as const),
    )
    test.each(views)(
      '%s, at %i px in %s: no complaint, no blank plot in any stage, axe is content',
      async (name, width, scheme) => {
        const url = pathToFileURL(pages[name]!).href
        const { page, complaints } = await openPage(browser, url, width, scheme)
        const stage = page.locator('#curves select').first()
        const stages = await stage.locator('option').allTextContents()
        expect(stages.length).toBeGreaterThan(0)
        for (const one of stages) {
          await stage.selectOption(one)
          expect(await blankPlots(page), one).toEqual([])
        }
        const plots = await page.locator('.plot').count()
        expect(await overflow(page)).toBeLessThanOrEqual(0)
        expect(await violations(page)).toEqual([])
        if (pictures) {
          mkdirSync(pictures, { recursive: true })
          await page.evaluate(() => scrollTo(0, 0))
          const file = `${name.replace(' ', '-')}-${width}-${scheme}.png`
          await page.screenshot({ path: join(pictures, file), fullPage: true })
        }
        const { filter, turn } = await browsingTimes(page)
        expect(filter).toBeLessThan(200)
        expect(turn).toBeLessThan(200)
        const status = await page.locator('.completions .status').first().textContent()
        console.info(
          `${name}, ${width} px, ${scheme}: ${plots} plots in ${stages.at(-1)}; ${status}; filtered in ${filter.toFixed(0)} ms, turned in ${turn.toFixed(0)} ms`,
        )
        expect(complaints).toEqual([])
        await page.close()
      },
      180_000,
    )
  },
)
