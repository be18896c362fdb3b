import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { kogrpo, temporaryDirectory, writeLines } from './running.ts'

const directory = temporaryDirectory()

function run(name: string, losses: readonly number[]): string {
  const path = join(directory, name)
  mkdirSync(path)
  writeFileSync(join(path, 'config.json'), JSON.stringify({ name, seed: 7 }))
  const rows = losses.map((loss, i) => ({ stage: 'sft', step: i + 1, loss }))
  writeLines(join(path, 'metrics.jsonl'), rows)
  return path
}

const first = run('first', [3, 2, 1])
const second = run('second', [3, 2.5])

/** The runs that a page holds: a gzipped JSON text. */
function runsOf(page: string): { name: string; stages: { series: object }[] }[] {
  const [packed] = /H4sI[A-Za-z0-9+/]+=*/.exec(page)!
  return JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString()) as ReturnType<
    typeof runsOf
  >
}

describe('kogrpo report', () => {
  test('one run: report.html in its directory', async () => {
    const { code, stdout } = await kogrpo(['report', first])
    expect([code, stdout]).toEqual([0, `${join(first, 'report.html')}\n`])
    const [only, ...others] = runsOf(readFileSync(join(first, 'report.html'), 'utf8'))
    expect(only!.name).toBe('first')
    expect(others).toEqual([])
  })

  test('several runs: one page with all of them, in the order of the line', async () => {
    const output = join(directory, 'compared.html')
    const third = run('third', [1])
    const { code, stdout } = await kogrpo(['report', second, first, third, '--output', output])
    expect([code, stdout]).toEqual([0, `${output}\n`])
    const runs = runsOf(readFileSync(output, 'utf8'))
    expect(runs.map(({ name }) => name)).toEqual(['second', 'first', 'third'])
    expect(runs.map(({ stages }) => stages[0]!.series)).toEqual([
      { loss: [3, 2.5] },
      { loss: [3, 2, 1] },
      { loss: [1] },
    ])
    expect(existsSync(join(second, 'report.html'))).toBe(false)
  })

  test.each([
    [
      [first, second],
      2,
      '--output: name the file that the comparison of several runs is written to',
    ],
    [[join(directory, 'none')], 1, 'has no config.json, so it is not the directory of a run'],
    [[first, '--port', '80'], 2, '--port: goes with --watch'],
    [[first, '--watch', '--output', 'x'], 2, '--output: does not go with --watch'],
    [[first, '--output', join(directory, 'no/x.html')], 1, 'no/x.html: ENOENT'],
    [[], 2, 'Not enough non-option arguments'],
  ])('%j is refused', async (args, exit, message) => {
    const { code, stderr } = await kogrpo(['report', ...args])
    expect(stderr).toContain(message)
    expect(code).toBe(exit)
  })
})
