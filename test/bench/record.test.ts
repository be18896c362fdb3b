/** bench/record.sh: a comparison that broke is no record; bars that are not met are. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const script = fileURLToPath(new URL('../../bench/record.sh', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'kogrpo-record-'))
afterAll(() => rmSync(folder, { recursive: true }))

function program(name: string, ...lines: string[]): void {
  writeFileSync(join(folder, name), ['#!/bin/bash', ...lines, ''].join('\n'))
  chmodSync(join(folder, name), 0o755)
}

/** The exit status where torch ends with `peer` and the ratios with `ratios`. */
function record(peer: number, ratios: number): number | null {
  program('python', `exit ${peer}`)
  program(
    'node',
    `case "$*" in "ratios.mjs record"*) exit ${ratios} ;; "ratios.mjs mark"*) cat ;; esac`,
  )
  writeFileSync(join(folder, 'cpu.json'), 'an older record\n')
  const args = ['--llama', folder, '--rounds', '1', '--modes', 'train', '--output', folder]
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
  return spawnSync('bash', [script, ...args], { encoding: 'utf8', env }).status
}

test('the record fails where a peer or the bookkeeping fails, and not below a bar', () => {
  expect(record(0, 0)).toBe(0)
  expect(record(0, 3)).toBe(0)
  expect(record(1, 0)).not.toBe(0)
  expect(record(0, 1)).not.toBe(0)
})
