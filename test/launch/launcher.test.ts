/** The launcher where something goes wrong before a rank computes anything. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Launcher } from '../../lib/launch/launch.ts'

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-launcher-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function launcher(name: string, program: string[]) {
  const logDirectory = join(directory, name)
  const said: string[] = []
  const launcher = new Launcher({
    ...{ nprocPerNode: 2, nnodes: 1, nodeRank: 0, endpoint: null, maxRestarts: 0, logDirectory },
    ...{ program, argumentsOf: () => [], env: process.env },
    print: (rank, line) => said.push(`${rank ?? 'launch'}: ${line}`),
  })
  return { launcher, said, logDirectory }
}

it('a rank that cannot be started is a failure that is told, and ends the others', async () => {
  const { launcher: one, said } = launcher('absent', [join(directory, 'no-such-program')])
  expect(await one.run()).toBe(1)
  expect(said).toContainEqual(expect.stringMatching(/^0: .*no-such-program/))
  expect(said).toContainEqual(
    expect.stringMatching(/^launch: rank 0 failed first: it ended with code 1/),
  )
})

it('a log that cannot be written is told and ends nothing', async () => {
  const {
    launcher: one,
    said,
    logDirectory,
  } = launcher('unwritable', [process.execPath, '-e', 'console.log("at work")'])
  mkdirSync(join(logDirectory, 'rank-0.log'), { recursive: true })
  expect(await one.run()).toBe(0)
  expect(said).toContainEqual(expect.stringMatching(/^launch: cannot write .*rank-0\.log: EISDIR/))
  expect(said).toContain('0: at work')
  expect(readFileSync(join(logDirectory, 'rank-1.log'), 'utf8')).toContain('at work')
})

it('a signal before the first rank: none is started', async () => {
  const { launcher: one, said } = launcher('early', [process.execPath, '-e', 'console.log(1)'])
  const ended = one.run()
  one.signal('SIGTERM')
  expect(await ended).toBe(143)
  expect(said.filter(line => !line.startsWith('launch: starting'))).toEqual([])
})

it('errors that other ranks have said too are counted, others told; the exit code is that of a shell', async () => {
  const program = 'console.error(process.env.RANK === "2" ? "another" : "the same"); '
  const said: string[] = []
  const one = new Launcher({
    ...{ nprocPerNode: 4, nnodes: 1, nodeRank: 0, endpoint: null, maxRestarts: 0 },
    ...{ logDirectory: join(directory, 'errors'), argumentsOf: () => [], env: process.env },
    program: [
      process.execPath,
      '-e',
      `${program}setTimeout(() => process.kill(process.pid, "SIGQUIT"), 50)`,
    ],
    print: (rank, line) => said.push(`${rank ?? 'launch'}: ${line}`),
  })
  expect(await one.run()).toBe(128 + 3)
  expect(said.filter(line => !line.includes(directory))).toEqual([
    '0: the same',
    '2: another',
    'launch: 2 more of 4 ranks said the same: 1, 3',
    expect.stringMatching(/^launch: {3}(the same|another)$/),
  ])
})
