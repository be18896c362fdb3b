import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { syncWandb, wandbCommand, wantsWandb } from '../../lib/report/wandb.ts'

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-wandb-'))

test('only with a key, and not where it is disabled', () => {
  expect(wantsWandb({})).toBe(false)
  expect(wantsWandb({ WANDB_API_KEY: '' })).toBe(false)
  expect(wantsWandb({ WANDB_API_KEY: 'k' })).toBe(true)
  expect(wantsWandb({ WANDB_API_KEY: 'k', WANDB_MODE: 'disabled' })).toBe(false)
})

test('the run is named by its directory', () => {
  expect(wandbCommand('runs/mini 1', { WANDB_PROJECT: 'p' })).toEqual([
    ...['wandb', 'sync', '--sync-tensorboard', '--project', 'p', '--id', 'mini-1'],
    'runs/mini 1/tensorboard',
  ])
})

test('the program gets key and files; what it says of a failure is told with the remedy', async () => {
  const log = join(directory, 'log')
  const program = join(directory, 'wandb')
  writeFileSync(
    program,
    `#!/bin/sh\necho "$WANDB_API_KEY $*" >> ${log}\necho no network >&2\nexit $EXIT\n`,
  )
  chmodSync(program, 0o755)
  const env = { PATH: `${directory}:${process.env.PATH}`, WANDB_API_KEY: 'k' }
  expect(await syncWandb('runs/a', { ...env, EXIT: '0' })).toBeNull()
  expect(readFileSync(log, 'utf8')).toBe(
    'k sync --sync-tensorboard --project kogrpo --id a runs/a/tensorboard\n',
  )
  expect(String(await syncWandb('runs/a', { ...env, EXIT: '3' }))).toBe(
    'wandb ended with 3: no network; to send it later: wandb sync --sync-tensorboard --project kogrpo --id a runs/a/tensorboard',
  )
  const none = mkdtempSync(join(tmpdir(), 'kogrpo-empty-'))
  expect(String(await syncWandb('runs/a', { PATH: none, WANDB_API_KEY: 'k' }))).toMatch(
    /^WANDB_API_KEY is set, but there is no program wandb \(pip install wandb\); to send it later: /,
  )
})
