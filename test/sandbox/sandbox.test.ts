/** The sandbox of the code reward: skipped, with a message, where bubblewrap or user namespaces are missing. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { KogrpoError } from '../../lib/errors.ts'
import { accuracyReward } from '../../lib/rewards/accuracy.ts'
import { BubblewrapRunner } from '../../lib/sandbox/bubblewrap.ts'
import { pythonFiles } from '../../lib/sandbox/python-files.ts'
import { seccompProgram } from '../../lib/sandbox/seccomp.ts'
import { attacks, forgeries, imports } from './attacks.ts'

function makeRunner(): BubblewrapRunner | null {
  try {
    return new BubblewrapRunner()
  } catch (error) {
    expect(error).toBeInstanceOf(KogrpoError)
    console.warn(`skipped: ${(error as Error).message}`)
    return null
  }
}

const runner = makeRunner()
const job = { language: 'python', tests: 'assert f(2) == 3', entryPoint: null, timeoutMs: 3000 }
const good = 'def f(x):\n  return x + 1\n'

describe('the filter of system calls', () => {
  /** Runs a BPF program on (number, first argument), as the kernel does. */
  function verdict(program: Buffer, architecture: number, number: number, argument = 0): number {
    const data = { 0: number, 4: architecture, 16: argument } as Record<number, number>
    let accumulator = 0
    for (let i = 0; ; i++) {
      const code = program.readUInt16LE(8 * i)
      const k = program.readUInt32LE(8 * i + 4)
      const jump = (yes: boolean): number => program.readUInt8(8 * i + (yes ? 2 : 3))
      if (code === 0x20) accumulator = data[k]!
      else if (code === 0x15) i += jump(accumulator === k)
      else if (code === 0x35) i += jump(accumulator >= k)
      else if (code === 0x45) i += jump((accumulator & k) !== 0)
      else if (code === 0x06) return k
      else throw new Error(`code ${code}`)
    }
  }
  const [ALLOW, KILL, EPERM, ENOSYS] = [0x7fff0000, 0x80000000, 0x50001, 0x50026]

  test.each([
    ['x64', 0xc000003e, { read: 0, clone: 56, socket: 41, first: 101, last: 238 }],
    ['arm64', 0xc00000b7, { read: 63, clone: 220, socket: 198, first: 117, last: 237 }],
  ] as const)('%s', (architecture, audit, { read, clone, socket, first, last }) => {
    const program = seccompProgram(architecture)!
    for (const denied of [socket, first, last]) expect(verdict(program, audit, denied)).toBe(EPERM)
    expect(verdict(program, audit, read)).toBe(ALLOW)
    expect(verdict(program, audit, 435)).toBe(ENOSYS)
    expect(verdict(program, audit, clone, 0x11)).toBe(ALLOW)
    expect(verdict(program, audit, clone, 0x1000_0011)).toBe(EPERM)
    expect(verdict(program, audit ^ 1, read)).toBe(KILL)
    expect(verdict(program, audit, 0x4000_0000)).toBe(KILL)
  })

  test('an architecture without a table has none, so the sandbox is refused there', () => {
    expect(seccompProgram('riscv64')).toBeNull()
  })
})

describe.skipIf(!runner)('the sandbox', () => {
  const run = (code: string, more: object = {}) => runner!.run({ ...job, code, ...more })

  test('passes what is right, fails what is wrong, whatever it prints', async () => {
    expect(await run(good)).toEqual({ passed: 1, total: 1 })
    expect(await run(`print("noise" * 10000)\n${good}`)).toEqual({ passed: 1, total: 1 })
    expect(await run('def f(x): return x')).toEqual({ passed: 0, total: 1 })
    expect(await run('def f(x: return')).toEqual({ passed: 0, total: 1 })
    expect(await run(good, { language: 'javascript' })).toEqual({ passed: 0, total: 1 })
  })

  test('calls check(entry_point) where the tests define it', async () => {
    const tests = 'def check(candidate):\n  assert candidate(2) == 3'
    expect(await run(good, { tests, entryPoint: 'f' })).toEqual({ passed: 1, total: 1 })
    expect(await run('def f(x): return 0', { tests, entryPoint: 'f' })).toMatchObject({ passed: 0 })
    expect(await run('g = 1', { tests, entryPoint: 'f' })).toMatchObject({ passed: 0 })
  })

  test('allows what a computation needs: the standard library, a scratch file, threads', async () => {
    const code = `import json, re, math, collections, itertools, threading, tempfile, random, decimal
with open("/tmp/x", "w") as file: file.write("scratch")
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
${good}`
    expect(await run(code)).toEqual({ passed: 1, total: 1 })
  })

  test('allows the modules that the attacks below use', async () => {
    expect(await run(`${imports}import resource, socket, urllib.request\n${good}`)).toEqual({
      ...{ passed: 1, total: 1 },
    })
  })

  test('nothing of the environment is inside', async () => {
    process.env.JUDGE_API_KEY = 'secret'
    const code = `import os\nassert "secret" not in str(os.environ) and len(os.environ) < 6\n${good}`
    expect(await run(code)).toEqual({ passed: 1, total: 1 })
    delete process.env.JUDGE_API_KEY
  })

  const host = join(mkdtempSync(join(tmpdir(), 'kogrpo-host-')), 'secret')
  writeFileSync(host, 'untouched')
  const all = [...attacks(host, process.pid), ...forgeries]

  test(`${all.length} attacks are contained, and the runner goes on`, async () => {
    const started = performance.now()
    const outcomes = await Promise.all(
      all.map(async ({ name, attack }) => {
        // The answer is right, so that only the attack's own failure fails it.
        const code = `${good}\n${attack}\n`
        return [name, (await run(code)) as { passed?: number; failure?: string }] as const
      }),
    )
    const escaped = outcomes.filter(([, result]) => result.passed !== 0).map(([name]) => name)
    expect(escaped).toEqual([])
    expect(readFileSync(host, 'utf8')).toBe('untouched')
    expect(existsSync('/x')).toBe(false)
    expect(await run(good)).toEqual({ passed: 1, total: 1 })
    // None of them holds the runner longer than its time.
    expect(performance.now() - started).toBeLessThan(all.length * 3500)
  })

  /** Seconds of processor that this process and its ended children have had. */
  function cpuSeconds(): number {
    const fields = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)!.split(' ')
    return [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) / 100
  }

  test('20 programs a second on two processors: at most 0.1 s of processor each', async () => {
    await run(good)
    const from = cpuSeconds()
    await Promise.all(Array.from({ length: 20 }, () => run(good)))
    // Of what bubblewrap starts nobody is told the time, so the interpreter is measured by itself.
    const between = cpuSeconds()
    const { executable } = pythonFiles()
    const program = 'import json, os, resource, sys\nexec("def f(x):\\n  return x + 1")'
    for (let i = 0; i < 20; i++) spawnSync(executable, ['-I', '-S', '-B', '-c', program])
    const [sandbox, interpreter] = [between - from, cpuSeconds() - between].map(s => s / 20) as [
      number,
      number,
    ]
    console.info(
      `ms of processor: sandbox ${Math.round(1000 * sandbox)}, interpreter ${Math.round(1000 * interpreter)}`,
    )
    expect(sandbox + interpreter).toBeLessThan(2 / 20)
  })

  test('a fork bomb cannot make more processes than allowed', async () => {
    const code = `import os, time
count = 0
try:
  while count < 100:
    if os.fork() == 0:
      time.sleep(5); os._exit(0)
    count += 1
except OSError: pass
${good}
assert count < 16`
    expect(await run(code)).toEqual({ passed: 1, total: 1 })
  })
})

const HUMAN_EVAL = '../shared/data/humaneval/HumanEval.jsonl.gz'
const there = existsSync(HUMAN_EVAL)
if (!there) console.warn('skipped: no shared data, so HumanEval was not run')

describe.skipIf(!runner || !there)('HumanEval', () => {
  interface Problem {
    prompt: string
    canonical_solution: string
    test: string
    entry_point: string
  }
  const problems = there
    ? gunzipSync(readFileSync(HUMAN_EVAL))
        .toString()
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as Problem)
    : []

  test('164 canonical solutions score 1 and 164 empty bodies 0', async () => {
    const reward = accuracyReward({ kind: 'code' }, { codeRunner: () => runner! })
    const rate = async (bodies: string[]): Promise<(number | null)[]> => {
      const completions = problems.map(
        ({ prompt }, i) => `<think>\n생각\n</think>\n\n\`\`\`python\n${prompt}${bodies[i]}\n\`\`\``,
      )
      return await reward({
        prompts: problems.map(({ prompt }) => [{ role: 'user', content: prompt }]),
        completions,
        completionIds: completions.map(() => new Int32Array()),
        truncated: completions.map(() => false),
        columns: {
          answer: problems.map(() => ''),
          tests: problems.map(problem => problem.test),
          entry_point: problems.map(problem => problem.entry_point),
        },
      })
    }
    const solved = await rate(problems.map(problem => problem.canonical_solution))
    expect(solved.filter(value => value === 1)).toHaveLength(164)
    expect(await rate(problems.map(() => '    pass\n'))).toEqual(new Array(164).fill(0))
  })
})
