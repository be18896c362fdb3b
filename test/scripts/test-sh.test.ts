/** scripts/test.sh counts tests by the last lines of vitest and doctest, and ends with its own count. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'kogrpo-test-sh-'))
afterAll(() => rmSync(folder, { recursive: true }))

const script = readFileSync(new URL('../../scripts/test.sh', import.meta.url), 'utf8')

/** What one of the script's functions prints of a log. */
function counted(name: string, log: string): string {
  const definition = new RegExp(`^${name}\\(\\) \\{\\n[^]*?^\\}`, 'm').exec(script)![0]
  const file = join(folder, 'log')
  writeFileSync(file, log)
  const { stdout } = spawnSync('bash', ['-uc', `${definition}\n${name} "$1"`, 'bash', file], {
    encoding: 'utf8',
  })
  return stdout
}

test('vitest: passed and failed, also where there is but one of them', () => {
  const of = (line: string): string => counted('count_vitest', ` Test Files  9 failed\n${line}\n`)
  expect(of('      Tests  1 failed | 310 passed | 4 skipped (315)')).toBe('310 1\n')
  expect(of('      Tests  12 passed (12)')).toBe('12 0\n')
  expect(of('      Tests  3 failed | 2 skipped (5)')).toBe('0 3\n')
  expect(of('\u001b[2m      Tests \u001b[22m \u001b[1m\u001b[32m7 passed\u001b[39m (7)')).toBe(
    '7 0\n',
  )
  expect(of('      no tests')).toBe('0 0\n')
})

test('doctest: the summary, or nothing of a program that died', () => {
  const summary = '[doctest] test cases: 12 | 11 passed | 1 failed | 0 skipped'
  expect(counted('count_doctest', `${summary}\n[doctest] Status: FAILURE!\n`)).toBe('11 1\n')
  expect(counted('count_doctest', 'Segmentation fault\n')).toBe('')
})

test('the last line counts, also where a tool is missing that cannot be installed', () => {
  const [scripts, bin] = [join(folder, 'scripts'), join(folder, 'bin')]
  for (const directory of [scripts, bin]) mkdirSync(directory)
  writeFileSync(join(scripts, 'test.sh'), script)
  for (const tool of ['dirname', 'rm', 'mkdir', 'find', 'tee'])
    symlinkSync(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(bin, tool))
  const { status, stdout, stderr } = spawnSync(
    execFileSync('which', ['bash'], { encoding: 'utf8' }).trim(),
    [join(scripts, 'test.sh')],
    { encoding: 'utf8', env: { PATH: bin } },
  )
  expect(stderr).toMatch(/npm test needs: g\+\+ make python3 cmake ninja clang-format/)
  expect(stdout).toMatch(/failed: set-up\n0 passed, 1 failed\n$/)
  expect(readFileSync(join(folder, 'build-test/summary.txt'), 'utf8')).toBe('0 passed, 1 failed\n')
  expect(status).toBe(1)
})
