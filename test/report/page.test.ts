import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { KOREAN } from '../../assets/report/ko.js'
import { packRuns, reportPage } from '../../lib/report/page/page.ts'
import { ReportWriter } from '../../lib/report/page/report-writer.ts'
import { type RunData, readRun } from '../../lib/report/page/run-data.ts'
import { watchRuns } from '../../lib/report/page/watch.ts'

const jsonLines = (rows: object[]): string => rows.map(row => `${JSON.stringify(row)}\n`).join('')

function runDirectory(completions: object[] = [], metrics: object[] = []): string {
  const path = mkdtempSync(join(tmpdir(), 'kogrpo-page-'))
  writeFileSync(join(path, 'config.json'), JSON.stringify({ seed: 7 }))
  writeFileSync(join(path, 'metrics.jsonl'), jsonLines(metrics))
  writeFileSync(join(path, 'completions.jsonl'), jsonLines(completions))
  return path
}

const completion = (step: number, text = '정답: 3'): object => ({
  stage: 'grpo',
  step,
  prompt: '하나 더하기 둘은?',
  completion: text,
  rewards: { accuracy: 1 },
  reward: 1,
  checker: true,
  judge: true,
  advantage: 0,
  prompt_tokens: 3,
  completion_tokens: 4,
})

describe('reading a run', () => {
  test('makes a series of every metric, with null where a step lacks it', async () => {
    const path = runDirectory(
      [],
      [
        { stage: 'sft', step: 1, loss: 2 },
        { stage: 'grpo', step: 1, loss: 1 },
        { stage: 'grpo', step: 2, loss: 0.5, eval_accuracy: 0.25 },
        { stage: 'grpo', step: 3, loss: null },
      ],
    )
    const { stages } = await readRun(path, 10)
    expect(stages).toEqual([
      { stage: 'sft', steps: [1], series: { loss: [2] } },
      {
        stage: 'grpo',
        steps: [1, 2, 3],
        series: { loss: [1, 0.5, null], eval_accuracy: [null, 0.25, null] },
      },
    ])
  })

  test('keeps whole groups, evenly, from the first step to the last, within the limit', async () => {
    const rows = Array.from({ length: 8000 }, (_, i) => completion(1 + Math.floor(i / 8)))
    const run = await readRun(runDirectory(rows), 500)
    expect(run.completionsTotal).toBe(8000)
    expect(run.completions.length).toBeLessThanOrEqual(500)
    expect(run.completions.length).toBeGreaterThan(250)
    const steps = [...new Set(run.completions.map(row => row.step))]
    for (const step of steps) {
      expect(run.completions.filter(row => row.step === step)).toHaveLength(8)
    }
    const gaps = steps.slice(1).map((step, i) => step - steps[i]!)
    expect(new Set(gaps).size).toBe(1)
    expect(steps[0]).toBe(1)
    expect(1000 - steps.at(-1)!).toBeLessThan(gaps[0]!)
  })

  test('keeps the same problems of every evaluation, so that a prompt can be followed', async () => {
    const stages = ['base', 'sft', 'grpo', 'rl'].flatMap(stage =>
      Array.from({ length: stage === 'grpo' ? 800 : 100 }, (_, i) => ({
        ...completion(0),
        stage,
        prompt: `${stage === 'grpo' ? 'trained' : 'held out'} ${i}`,
      })),
    )
    const { completions } = await readRun(runDirectory(stages), 400)
    expect(completions.length).toBeGreaterThan(200)
    const prompts = (stage: string): string[] =>
      completions.filter(row => row.stage === stage).map(row => row.prompt)
    expect(prompts('base').length).toBeGreaterThan(20)
    expect(prompts('sft')).toEqual(prompts('base'))
    expect(prompts('rl')).toEqual(prompts('base'))
    const few = await readRun(runDirectory(stages), 10)
    expect(few.completions).toHaveLength(10)
  })

  test('leaves out a last line that is still being written, and refuses a bad one before it', async () => {
    const path = runDirectory([completion(1)])
    writeFileSync(join(path, 'completions.jsonl'), '{"stage":"grp', { flag: 'a' })
    expect((await readRun(path, 10)).completions).toHaveLength(1)
    writeFileSync(join(path, 'completions.jsonl'), '\n{}\n', { flag: 'a' })
    await expect(readRun(path, 10)).rejects.toThrow(/completions\.jsonl:2: /)
  })

  test('says which directory is not a run', async () => {
    await expect(readRun('/nowhere', 1)).rejects.toThrow('/nowhere has no config.json')
  })
})

describe('the page', () => {
  const hostile = '</script><script>alert(1)</script>'
  const run: RunData = {
    name: hostile,
    recipe: { seed: 1 },
    stages: [],
    summary: null,
    completions: [completion(1, hostile)] as RunData['completions'],
    completionsTotal: 1,
  }

  test('holds the data where no text can break out of it', () => {
    const page = reportPage([run])
    expect(page).not.toContain('alert(1)</script>')
    expect(page.match(/<script/g)).toHaveLength(2)
    expect(JSON.parse(gunzipSync(Buffer.from(packRuns([run]), 'base64')).toString())).toEqual([run])
  })

  test('names no address to load from, and forbids every request', () => {
    const page = reportPage([run])
    expect(page).toContain("default-src 'none'")
    expect(page).toContain("connect-src 'none'")
    expect(page).not.toMatch(/(src|href)="(?!data:)/)
    expect(page).not.toMatch(/^(import|export) /m)
  })

  test('is written when a stage is over', async () => {
    const path = runDirectory([completion(1)])
    const warnings: string[] = []
    const writer = new ReportWriter(path, 1e6, message => warnings.push(String(message)))
    writer.handle({ type: 'step', stage: 'grpo', step: 1, metrics: {} })
    await writer.finished()
    expect(() => readFileSync(join(path, 'report.html'))).toThrow('ENOENT')
    writer.handle({ type: 'stage_end', stage: 'grpo' })
    await writer.finished()
    expect(readFileSync(join(path, 'report.html'), 'utf8')).toMatch(/^<!doctype html>/)
    expect(warnings).toEqual([])
  })
})

test('the watching server answers two paths, on loopback names, and 304 until a file changes', async () => {
  const path = runDirectory([completion(1)])
  const stop = new AbortController()
  let listening: (address: string) => void = () => {}
  const address = new Promise<string>(resolve => {
    listening = resolve
  })
  const served = watchRuns([path], {
    port: 0,
    maxCompletions: 10,
    language: 'en',
    signal: stop.signal,
    onListening: listening,
  })
  const base = await address
  expect(base).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
  expect(await (await fetch(base)).text()).toContain('data-live="/data"')
  const first = await fetch(`${base}data`)
  const tag = first.headers.get('etag')!
  expect(first.status).toBe(200)
  const again = (): Promise<Response> => fetch(`${base}data`, { headers: { 'if-none-match': tag } })
  expect((await again()).status).toBe(304)
  writeFileSync(join(path, 'completions.jsonl'), jsonLines([completion(2)]), { flag: 'a' })
  expect((await again()).status).toBe(200)
  expect((await fetch(`${base}../../etc/passwd`)).status).toBe(404)
  expect((await fetch(`${base}config.json`)).status).toBe(404)
  stop.abort()
  await served
})

test('every word of the page has its Korean, with the same places, and no other has', () => {
  const sources = readdirSync('assets/report')
    .filter(name => name.endsWith('.js') && name !== 'ko.js')
    .map(name => readFileSync(join('assets/report', name), 'utf8'))
    .join('\n')
  const literal = /\bsay\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g
  const said = new Set([...sources.matchAll(literal)].map(([, one, other]) => one ?? other!))
  expect(said.size).toBeGreaterThan(90)
  expect([...said].filter(text => !Object.hasOwn(KOREAN, text))).toEqual([])
  expect(Object.keys(KOREAN).filter(text => !said.has(text))).toEqual([])
  const places = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()
  for (const [english, korean] of Object.entries(KOREAN)) {
    expect(places(korean), english).toEqual(places(english))
    expect(korean, english).toMatch(/[가-힣]/)
  }
})
