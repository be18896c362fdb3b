import { mkdirSync, writeFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Check, checkNccl } from '../../lib/cli/doctor-checks.ts'
import { readMemory } from '../../lib/cli/memory.ts'
import { nodeProblem, readsKorean, satisfies } from '../../lib/cli/node-version.ts'
import { kogrpo, temporaryDirectory } from './running.ts'

const directory = temporaryDirectory()

async function doctor() {
  const { code, stdout, stderr } = await kogrpo(['doctor', '--json'])
  const report = JSON.parse(stdout) as { ok: boolean; checks: Check[] }
  const check = (name: string): Check => report.checks.find(c => c.name === name)!
  return { code, stderr, ok: report.ok, checks: report.checks, check }
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('doctor', () => {
  test('finds this machine able to train', async () => {
    const { code, ok, checks, check } = await doctor()
    expect([code, ok]).toEqual([0, true])
    expect(checks.map(({ name }) => name)).toEqual([
      ...['kogrpo', 'node', 'platform', 'addon', 'instructions', 'threads', 'memory', 'cuda'],
      ...['compiler', 'disk', 'model'],
    ])
    expect(check('node').details).toMatchObject({ version: process.version })
    expect(check('addon').status).toBe('ok')
    expect(check('instructions').details!.instructionSets).toContain('scalar')
    expect(check('threads').details!.threads).toBeGreaterThanOrEqual(1)
    const { total, available } = check('memory').details as { total: number; available: number }
    expect(total).toBeLessThanOrEqual(totalmem())
    expect(available).toBeGreaterThan(2 ** 28)
    expect(available).toBeLessThanOrEqual(total)
    expect(check('cuda').details).toMatchObject({ built: false, usable: false, devices: [] })
    expect(check('cuda').message).toContain('this build has no CUDA code')
    for (const { status, remedy } of checks) expect(remedy !== undefined).toBe(status !== 'ok')
  })

  test('names the NCCL of ranks on GPUs, and warns where several GPUs have none', () => {
    const card = { name: 'H200', capability: '9.0', multiprocessors: 132, memory: 2 ** 37 }
    const state = { built: true, usable: true, products: 'cuBLASLt 13.1.1', problem: '' }
    const nccl = { usable: true, text: '2.30.7 (libnccl.so.2)' }
    const none = { usable: false, text: 'could not be loaded; tried:\n  libnccl.so.2: no\n  more' }
    const statusOf = (count: number, found: typeof nccl): unknown[] =>
      checkNccl({ ...state, devices: Array.from({ length: count }, () => card), nccl: found }).map(
        ({ status, remedy }) => [status, String(remedy).includes('KOGRPO_NCCL')],
      )
    expect(checkNccl(undefined)).toEqual([])
    expect(checkNccl({ ...state, usable: false, devices: [] })).toEqual([])
    expect(statusOf(1, nccl)).toEqual([['ok', false]])
    expect(statusOf(8, nccl)).toEqual([['ok', false]])
    expect(statusOf(1, none)).toEqual([['ok', false]])
    expect(statusOf(8, none)).toEqual([['warn', true]])
    const [check] = checkNccl({ ...state, devices: [card, card], nccl: none })
    expect(String(check!.message)).toMatch(/: could not be loaded; tried: +libnccl\.so\.2: no$/)
    const [found] = checkNccl({ ...state, devices: [card], nccl })
    expect(String(found!.message)).toContain('NCCL 2.30.7 (libnccl.so.2)')
  })

  test('prints a line a check without --json', async () => {
    const { code, stdout } = await kogrpo(['doctor'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ok {4}kogrpo {8}version \d/)
    expect(stdout).toMatch(/Training can run here\.\n$/)
  })

  test.each([
    ['crashes', 'process.abort()', 'crashed with SIGABRT'],
    ['throws', 'throw new Error("GLIBC_9.9 not found")', 'Error: GLIBC_9.9 not found'],
    ['is another', 'module.exports = {}', 'addon.NativeEngine is not a constructor'],
  ])('an addon that %s is a finding with a remedy', async (_what, source, problem) => {
    const path = join(directory, 'addon.cjs')
    writeFileSync(path, source)
    vi.stubEnv('KOGRPO_NATIVE', path)
    const { code, stderr, ok, check } = await doctor()
    expect([code, ok]).toEqual([1, false])
    expect(stderr).toBe('kogrpo: training cannot run here; see addon above\n')
    expect(check('addon').status).toBe('fail')
    expect(check('addon').message).toContain(`${path}: ${problem}`)
    expect(check('addon').remedy).toBe('unset KOGRPO_NATIVE, or build it')
  })

  test('an addon that is not there', async () => {
    vi.stubEnv('KOGRPO_NATIVE', join(directory, 'none.node'))
    const { code, check } = await doctor()
    expect(code).toBe(1)
    expect(check('addon').message).toContain('none.node: not there')
  })
})

test.each([
  ['v20.17.0', true],
  ['v20.20.2', true],
  ['v22.1.0', true],
  ['v20.16.9', false],
  ['v18.99.0', false],
])('Node %s is enough for >=20.17: %j', (version, enough) => {
  expect(satisfies(version, '>=20.17')).toBe(enough)
})

describe('memory', () => {
  const MIB = 2 ** 20
  let roots = 0

  /** A file system with a machine of 4096 MiB, 3000 MiB of them available. */
  function root(files: Record<string, string>): string {
    const top = join(directory, `root-${roots++}`)
    const meminfo = `MemTotal:   ${4096 * 1024} kB\nMemAvailable:   ${3000 * 1024} kB\n`
    for (const [file, text] of Object.entries({ 'proc/meminfo': meminfo, ...files })) {
      mkdirSync(join(top, file, '..'), { recursive: true })
      writeFileSync(join(top, file), text)
    }
    return top
  }
  const inMib = ({ total, available, limited }: ReturnType<typeof readMemory>) => [
    total / MIB,
    available / MIB,
    limited,
  ]

  test('of the machine without groups, or with unlimited ones', () => {
    expect(inMib(readMemory(root({})))).toEqual([4096, 3000, false])
    const unlimited = root({
      'proc/self/cgroup': '0::/a\n',
      'sys/fs/cgroup/a/memory.max': 'max\n',
      'sys/fs/cgroup/a/memory.current': '5\n',
    })
    expect(inMib(readMemory(unlimited))).toEqual([4096, 3000, false])
  })

  test('of the tightest group above, page cache counted as free', () => {
    const nested = root({
      'proc/self/cgroup': '0::/a/b\n',
      'sys/fs/cgroup/a/memory.max': `${1024 * MIB}\n`,
      'sys/fs/cgroup/a/memory.current': `${900 * MIB}\n`,
      'sys/fs/cgroup/a/memory.stat': `anon 7\ninactive_file ${300 * MIB}\nactive_file ${100 * MIB}\n`,
      'sys/fs/cgroup/a/b/memory.max': `${2048 * MIB}\n`,
      'sys/fs/cgroup/a/b/memory.current': `${10 * MIB}\n`,
    })
    expect(inMib(readMemory(nested))).toEqual([1024, 524, true])
  })

  test('of a version 1 group whose path is not visible from inside', () => {
    const inside = root({
      'proc/self/cgroup': '4:memory:/docker/0123\n1:cpu:/\n0::/\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': `${512 * MIB}\n`,
      'sys/fs/cgroup/memory/memory.usage_in_bytes': `${200 * MIB}\n`,
      'sys/fs/cgroup/memory/memory.stat': `total_inactive_file ${50 * MIB}\n`,
    })
    expect(inMib(readMemory(inside))).toEqual([512, 362, true])
    const v1 = root({
      'proc/self/cgroup': '4:memory:/\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '1\n',
    })
    expect(inMib(readMemory(v1))).toEqual([4096, 3000, false])
  })
})

test('an old Node is told what is needed, in the language of the reader', () => {
  expect(nodeProblem('v20.17.0', '>=20.17')).toBeNull()
  expect(nodeProblem('v18.20.4', '>=20.17')).toMatch(
    /^Node 20\.17 or newer is needed, this is v18\.20\.4/,
  )
  expect(nodeProblem('v18.20.4', '>=20.17', true)).toMatch(
    /^Node 20\.17 이상이 필요한데 지금은 v18\.20\.4/,
  )
  expect(readsKorean([], { LANG: 'ko_KR.UTF-8' })).toBe(true)
  expect(readsKorean([], { LC_ALL: 'C', LANG: 'ko_KR.UTF-8' })).toBe(false)
  expect(readsKorean([], { KOGRPO_LANG: 'en', LANG: 'ko' })).toBe(false)
  expect(readsKorean(['train', '--lang', 'ko'], { KOGRPO_LANG: 'en' })).toBe(true)
  expect(readsKorean(['--lang=en'], { LANG: 'ko' })).toBe(false)
  expect(readsKorean([], { LANG: 'kok_IN' })).toBe(false)
})
