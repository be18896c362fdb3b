import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const script = fileURLToPath(new URL('../../bench/ratios.mjs', import.meta.url))

function ratios(args: string[], lines: object[]): { status: number | null; stdout: string } {
  const input = `a warning of the peer's\n${lines.map(line => JSON.stringify(line)).join('\n')}\n`
  return spawnSync(process.execPath, [script, ...args], { input, encoding: 'utf8' })
}

const line = (side: string, round: number, variant: string, median: number): object => ({
  mode: 'train',
  side,
  round,
  variant,
  tokens_per_s: { median },
})

test('lines are marked with side and round', () => {
  const { stdout } = ratios(['mark', 'peer', '2'], [{ mode: 'train', variant: 'eager' }])
  expect(JSON.parse(stdout)).toEqual({ mode: 'train', side: 'peer', round: 2, variant: 'eager' })
})

test("ratios are to the peer's fastest variant, round by round; a bar that is not met fails", () => {
  const lines = [
    line('peer', 1, 'slow', 50),
    line('peer', 1, 'fast', 100),
    line('kogrpo', 1, 'x', 250),
    line('peer', 2, 'fast', 200),
    line('kogrpo', 2, 'x', 700),
    line('peer', 3, 'fast', 100),
    line('kogrpo', 3, 'x', 320),
  ]
  expect(ratios(['fastest', 'train'], lines).stdout).toBe('fast\n')
  const file = join(mkdtempSync(join(tmpdir(), 'kogrpo-ratios-')), 'cpu.json')
  expect(ratios(['record', file], lines).status).toBe(0)
  const { comparison, results } = JSON.parse(readFileSync(file, 'utf8'))
  expect(results).toEqual(lines)
  expect(comparison.train).toMatchObject({
    variant: 'fast',
    bar: 3,
    met: true,
    ratio: { median: 3.2, min: 2.5, max: 3.5 },
  })
  const below = ratios(['record', file], lines.slice(0, 3))
  expect(below.stdout).toBe('train: 2.5 x (2.5 to 2.5), bar 3 x: not met\n')
  expect(below.status).toBe(1)
})
