// Makes the pictures of the README from the report page of a run: node scripts/make-screenshots.mjs RUN
// Needs Chromium (Debian: apt-get install chromium fonts-noto-cjk).
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { reportPage } from '../dist/report/page/page.js'
import { readRun } from '../dist/report/page/run-data.js'

const [directory] = process.argv.slice(2)
if (!directory) throw new Error('usage: node scripts/make-screenshots.mjs RUN_DIRECTORY')
const executablePath = execFileSync(
  'sh',
  ['-c', 'command -v chromium || command -v google-chrome'],
  {
    encoding: 'utf8',
  },
).trim()
const run = { ...(await readRun(directory, 10_000)), name: 'mini' }
const html = reportPage([run])
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })

/** A picture of the part of the page below `heading`, 1,200 pixels wide. */
async function picture(name, colorScheme, heading, height) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 1000 }, colorScheme })
  await page.setContent(html)
  await page.waitForSelector('#completions .card')
  await page.getByLabel('Stage').last().selectOption('grpo')
  const top = await page.locator('h2', { hasText: heading }).boundingBox()
  for (const plot of await page.locator('.plot').all()) {
    await plot.scrollIntoViewIfNeeded()
    await plot.locator('canvas').waitFor()
  }
  await page.evaluate(() => globalThis.scrollTo(0, 0))
  const path = fileURLToPath(new URL(`../docs/images/${name}.png`, import.meta.url))
  const clip = { x: 0, y: Math.max(0, top.y - 16), width: 1200, height }
  await page.screenshot({ path, clip, fullPage: true })
  await page.close()
  console.log(path)
}

await picture('report-curves', 'light', 'Curves', 780)
await picture('report-completions', 'dark', 'Completions', 640)
await browser.close()
