/** The report page: whatever a run's files hold, its data cannot leave the place it has in the page. */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { reportPage } from '../../../lib/report/page/page.ts'
import { readRun } from '../../../lib/report/page/run-data.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, mutateJsonText, mutateText, type Random, WORDS } from '../mutate.ts'

const words = [
  ...WORDS,
  '</script>',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '<!--',
  ']]>',
  "'",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: what a careless page would run
  '`${1}`',
]
const METRIC = { stage: 'grpo', step: 1, reward: 0.5, 'completions/mean_length': 12 }
const COMPLETION = {
  stage: 'grpo',
  step: 1,
  prompt: '<b>',
  completion: '</script><script>alert(1)</script>',
  reward: 1,
}
const TAGS = 2 // <script> elements of the page, besides the data's
let directory: string | undefined

export const target: FuzzTarget = {
  name: 'report',
  make: (random: Random) => ({
    // Making a page reads half a megabyte of scripts.
    page: random.chance(10),
    name: mutateText(random, 'run', words, 200),
    recipe: mutateJsonText(random, { model: { path: 'm' }, seed: 1 }, words),
    metrics: mutateBytes(
      random,
      Buffer.from(
        [METRIC, METRIC, METRIC].map(row => mutateJsonText(random, row, words)).join('\n'),
      ),
    ),
    completions: [COMPLETION, COMPLETION].map(row => mutateJsonText(random, row, words)).join('\n'),
  }),
  async run(input: {
    page: boolean
    name: string
    recipe: string
    metrics: Buffer
    completions: string
  }) {
    directory ??= mkdtempSync(join(tmpdir(), 'kogrpo-fuzz-'))
    writeFileSync(join(directory, 'config.json'), input.recipe)
    writeFileSync(join(directory, 'metrics.jsonl'), input.metrics)
    writeFileSync(join(directory, 'completions.jsonl'), input.completions)
    const data = { ...(await readRun(directory, 10)), name: input.name }
    JSON.stringify(data)
    if (!input.page) return
    const page = reportPage([data])
    const embedded = /id="data">([A-Za-z0-9+/=]*)<\/script>/.exec(page)![1]!
    assert.deepEqual(
      JSON.parse(gunzipSync(Buffer.from(embedded, 'base64')).toString()),
      JSON.parse(JSON.stringify([data])),
    )
    assert.equal(page.match(/<script\b/gi)!.length, TAGS)
    assert.equal(page.match(/<\/script/gi)!.length, TAGS)
  },
}
