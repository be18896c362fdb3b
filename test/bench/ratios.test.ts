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
  work: 'train',
  ...(side === 'kogrpo' && { dtype: 'bfloat16' }),
  side,
  round,
  variant,
  tokens_per_s: { median },
})

test('lines are marked with side, round and work', () => {
  const { stdout } = ratios(
    ['mark', 'peer', '2', 'train_large'],
    [{ mode: 'train', variant: 'eager' }],
  )
  const marks = { work: 'train_large', side: 'peer', round: 2 }
  expect(JSON.parse(stdout)).toEqual({ mode: 'train', ...marks, variant: 'eager' })
})

test("ratios are to the peer's fastest variant, round by round; a bar that is not met fails", () => {
  const lines = [
    line('peer', 1, 'slow', 50),
    line('peer', 1, 'fast', 100),
    line('kogrpo', 1, 'x', 350),
    { ...line('kogrpo', 1, 'x', 150), dtype: 'float32' },
    line('peer', 2, 'fast', 200),
    line('kogrpo', 2, 'x', 900),
    line('peer', 3, 'fast', 100),
    line('kogrpo', 3, 'x', 420),
  ]
  expect(ratios(['fastest', 'train'], lines).stdout).toBe('fast\n')
  const file = join(mkdtempSync(join(tmpdir(), 'kogrpo-ratios-')), 'cpu.json')
  expect(ratios(['record', file], lines).status).toBe(3) // fp32 is below
  const { comparison, results } = JSON.parse(readFileSync(file, 'utf8'))
  expect(results).toEqual(lines)
  expect(comparison['train bfloat16']).toMatchObject({
    variant: 'fast',
    bar: 4,
    met: true,
    ratio: { median: 4.2, min: 3.5, max: 4.5 },
  })
  expect(comparison['train float32']).toMatchObject({ met: false, ratio: { median: 1.5 } })
  const below = ratios(['record', file], lines.slice(0, 3))
  expect(below.stdout).toBe('train bfloat16: 3.5 x (3.5 to 3.5), bar 4 x: not met\n')
  expect(below.status).toBe(3)
  const met = lines.filter(l => !('dtype' in l) || l.dtype === 'bfloat16')
  expect(ratios(['record', file], met).status).toBe(0)
  // A missing peer is no bar that is not met.
  const alone = lines.filter(l => 'dtype' in l)
  expect(ratios(['record', file], alone).status).toBe(1)
})
