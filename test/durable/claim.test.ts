/** One process at a time in a place: refused while the other lives, taken over when it has died. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { claim } from '../../lib/durable/claim.ts'

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-claim-'))
const file = join(directory, '.in-use')
afterAll(() => rmSync(directory, { recursive: true, force: true }))
beforeEach(() => rmSync(file, { force: true }))

const owner = (): Record<string, unknown> =>
  JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
const write = (changes: object): void => {
  const held = claim('runs/a', file)
  const text = JSON.stringify({ ...owner(), ...changes })
  held.release()
  writeFileSync(file, text)
}

test('a second claim is refused by place and process until the first is released', () => {
  const first = claim('runs/a', file)
  expect(first.doubt).toBeNull()
  expect(owner()).toMatchObject({ pid: process.pid })
  expect(() => claim('runs/a', file)).toThrow(
    `runs/a is in use: process ${process.pid} has been at work there since ${owner().since}`,
  )
  first.release()
  expect(existsSync(file)).toBe(false)
  claim('runs/a', file).release()
  expect(readdirSync(directory)).toEqual([])
})

test('what a killed process left is taken over, without a doubt', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  await once(child, 'spawn')
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
  const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  write({ pid: child.pid, began })
  expect(() => claim('runs/a', file)).toThrow(`process ${child.pid}`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const held = claim('runs/a', file)
  expect(held.doubt).toBeNull()
  expect(owner()).toMatchObject({ pid: process.pid })
  held.release()
})

test.each([
  ['a later process of the same number', { began: '1' }],
  ['another start of the machine', { boot: 'another' }],
])('%s is not the owner', (_, changes) => {
  write(changes)
  const held = claim('runs/a', file)
  expect(held.doubt).toBeNull()
  held.release()
})

test('a file that was cut off stands for nobody', () => {
  writeFileSync(file, '{"pid": 1')
  claim('runs/a', file).release()
  expect(readdirSync(directory)).toEqual([])
})

test('a process of another machine cannot be seen: taken over, and said', () => {
  write({ host: 'node7', pid: 12, since: '2026-01-02T03:04:05.000Z' })
  const held = claim('runs/a', file)
  expect(String(held.doubt)).toBe(
    'runs/a was in use by process 12 on node7 (since 2026-01-02T03:04:05.000Z), which never said that it ended; if it is still at work there, stop one of the two',
  )
  held.release()
})

test('release leaves the claim of whoever took over', () => {
  const first = claim('runs/a', file)
  writeFileSync(file, JSON.stringify({ ...owner(), host: 'node7' }))
  first.release()
  expect(owner()).toMatchObject({ host: 'node7' })
})

test('a directory that is not there is an error that names the file', () => {
  const missing = join(directory, 'missing', '.in-use')
  expect(() => claim('runs/a', missing)).toThrow(`cannot write ${missing}: `)
})
