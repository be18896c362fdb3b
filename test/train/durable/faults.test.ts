/**
 * Faults at every system call of a save (test/durable/fault-shim.c by LD_PRELOAD, the compiled
 * program): a full disk, an I/O error, a write that is cut short, a call that a signal interrupts, and
 * kill -9. Whatever call it is, the checkpoint before is whole or the new one is, the error names the
 * file, and the next save works.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { buildShim } from '../../durable/shim.ts'
import { tinyRecipe } from '../tiny.ts'

const here = (name: string): string =>
  fileURLToPath(new URL(`../../durable/${name}`, import.meta.url))
// Memory where there is some: what a call returns is tested here, not how fast a disk flushes.
const directory = mkdtempSync(
  join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kogrpo-faults-'),
)
const shim = join(directory, 'fault-shim.so')
const built = buildShim(shim, 'faults.test.ts')

interface Found {
  step?: number
  sha256: string
  names: string[]
}

interface Row {
  mode: string
  k: number
  call?: string
  path?: string
  error?: { code: string; message: string } | null
  retried?: true
  before: Found
  after: Found
}

/** Runs the child on a fresh run directory. `code` is null where a signal ended it. */
async function child(what: string, modes: string, k?: number) {
  const config = await tinyRecipe({
    seed: 1,
    threads: 1,
    sft: { data: [{ path: 'mini:sft', size: 2 }], max_steps: 1 },
  })
  const place = mkdtempSync(join(directory, 'run-'))
  writeFileSync(join(place, 'recipe.json'), JSON.stringify(config))
  const args = [
    here('fault-child.mjs'),
    place,
    what,
    modes,
    ...(k === undefined ? [] : [String(k)]),
  ]
  const env = { ...process.env, LD_PRELOAD: shim, KOGRPO_FAULT_DIR: config.output_dir }
  const started = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  started.stdout.on('data', bytes => {
    out += String(bytes)
  })
  started.stderr.on('data', bytes => {
    err += String(bytes)
  })
  const code = await new Promise<number | null>(resolve => started.on('close', resolve))
  const rows = out
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Row)
  return { code, err, rows, config }
}

/** What may lie beside checkpoints: nothing that a reader could take for one. */
const strangers = (names: readonly string[]): string[] =>
  names.filter(
    name => !name.startsWith('.') && !/^state-\w+-\d+-\d+$|^checkpoints$|^sft$/.test(name),
  )

afterAll(async () => await rm(directory, { recursive: true, force: true }))

describe.skipIf(!built)('a save under faults', () => {
  it.each(['state', 'waiting', 'model'])('%s: every call, every fault', async what => {
    const { code, err, rows } = await child(what, 'ENOSPC,EIO,SHORT,EINTR')
    expect(err).toBe('')
    expect(code).toBe(0)
    const faults = rows.filter(({ retried }) => !retried)
    for (const { mode, k, call, path, error, before, after } of faults) {
      const where = `${mode} at call ${k}: ${call} ${path}, ${error?.message}`
      expect(after.sha256, where).toBe(before.sha256)
      expect(strangers(after.names), where).toEqual([])
      if (mode === 'EINTR' || mode === 'SHORT') {
        // The call is made again, or the rest is written: the save succeeds.
        expect(error, where).toBeNull()
        if (what !== 'model') expect(after.step, where).toBe(before.step! + 1)
      } else if (error) {
        expect(error.code, where).toMatch(/^E_(CHECKPOINT|DISK_FULL|MODEL_WRITE|MODEL_FILE|FILE)$/)
        const directories = ['checkpoints', 'sft', 'state-', path!.split('/').at(-1)!]
        expect(
          directories.some(name => error.message.includes(name)),
          where,
        ).toBe(true)
        // Opening a file to copy it cannot find the disk full.
        const reads = error.message.includes('cannot read')
        if (mode === 'ENOSPC' && !reads) {
          expect(error.message, where).toMatch(/disk is full|no space left/i)
        }
      }
    }
    for (const { mode, k, before, after } of rows.filter(({ retried }) => retried)) {
      const where = `${mode} at call ${k}, the save after it`
      expect(after.sha256, where).toBe(before.sha256)
      if (what !== 'model') expect(after.step, where).toBe(before.step! + 1)
    }
    // Every kind of call was hit: made, written, flushed, renamed.
    const calls = new Set(faults.map(({ call }) => call))
    for (const call of ['open', 'write', 'fsync', 'rename', 'mkdir']) {
      expect(calls, `${[...calls]}`).toContain(call)
    }
    expect(faults.length).toBeGreaterThan(60)
    process.stdout.write(`faults of saving ${what}: ${faults.length}\n`)
  })

  it('kill -9 in the midst of a save: a resume finds the state before or the new one, whole', async () => {
    const { findState } = await import('../../../lib/train/find-state.ts')
    const steps = new Set<number>()
    // Spread over the calls of a save: before, within the files, around the rename, after.
    let kills = 0
    for (let k = 1; ; k += 3) {
      const { code, config } = await child('state', 'KILL', k)
      // The save has fewer calls.
      if (code !== null) break
      kills++
      const state = await findState(config.output_dir)
      expect([0, 1]).toContain(state.step)
      steps.add(state.step)
    }
    expect([...steps].sort()).toEqual([0, 1])
    expect(kills).toBeGreaterThan(6)
  })
})
