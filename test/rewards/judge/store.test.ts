/** Verdicts on disk: they survive being killed, readers see writers, failures are never kept. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { describe, expect, it } from 'vitest'
import { cachedJudge } from '../../../lib/rewards/judge/cached.ts'
import { VerdictStore } from '../../../lib/rewards/judge/store.ts'
import {
  type Critique,
  judgement,
  type KeyedJudge,
  type Verdict,
} from '../../../lib/rewards/judge/types.ts'
import { item, verdicts } from './testing.ts'

const key = (n: number): string => n.toString(16).padStart(64, '0')
const file = (): string => join(mkdtempSync(join(tmpdir(), 'kogrpo-store-')), 'a', 'cache.jsonl')
const check = (key: string, verdict: number): string =>
  createHash('sha256').update(`${key} ${verdict}`).digest('hex').slice(0, 8)
const SOURCE = fileURLToPath(new URL('../../../lib/rewards/judge/store.ts', import.meta.url))

describe('store', () => {
  it('keeps verdicts over processes, one line each', () => {
    const path = file()
    const store = new VerdictStore(path)
    store.set(key(1), 1)
    store.set(key(2), 0)
    store.close()
    expect(readFileSync(path, 'utf8')).toBe(
      `{"key":"${key(1)}","verdict":1,"check":"${check(key(1), 1)}"}\n` +
        `{"key":"${key(2)}","verdict":0,"check":"${check(key(2), 0)}"}\n`,
    )
    const again = new VerdictStore(path)
    expect([again.get(key(1)), again.get(key(2)), again.get(key(3))]).toEqual([1, 0, undefined])
  })

  it('counts no line of which a bit was flipped, and finds the file changed up to its position', () => {
    const path = file()
    const store = new VerdictStore(path)
    store.set(key(1), 1)
    store.set(key(2), 0)
    const position = store.position()
    store.set(key(3), 1)
    expect(store.check(position)).toBeNull()
    const whole = readFileSync(path)
    expect(position.bytes).toBe((whole.length / 3) * 2)
    for (let bit = 0; bit < (whole.length / 3) * 8; bit += 13) {
      const flipped = Buffer.from(whole)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      writeFileSync(path, flipped)
      const damaged = new VerdictStore(path)
      // A newline in a line's midst, or none at its end, may take the neighbour with it.
      expect([1, undefined]).toContain(damaged.get(key(1)))
      expect([0, undefined]).toContain(damaged.get(key(2)))
      expect(damaged.get(key(3))).toBe(1)
      expect(damaged.size).toBeLessThanOrEqual(3)
      expect(damaged.check(position)).toContain('other verdicts among its first')
      damaged.close()
    }
    writeFileSync(path, whole.subarray(0, position.bytes - 9))
    expect(new VerdictStore(path).check(position)).not.toBeNull()
  })

  it('shows a reader what another process wrote since', () => {
    const path = file()
    const [reader, writer] = [new VerdictStore(path), new VerdictStore(path)]
    expect(reader.get(key(1))).toBeUndefined()
    writer.set(key(1), 0)
    expect(reader.get(key(1))).toBe(0)
    appendFileSync(path, `{"key":"${key(2)}","ver`)
    expect(reader.get(key(2))).toBeUndefined()
    appendFileSync(path, 'dict":1}\n')
    expect(reader.get(key(2))).toBe(1)
  })

  it('passes over torn and foreign lines, and a torn end swallows nothing', () => {
    const path = file()
    new VerdictStore(path).close()
    const lines = [
      `{"key":"${key(1)}","verdict":1}`,
      `{"key":"${key(2)}","ver{"key":"${key(3)}","verdict":1}`,
      `{"key":"${key(4)}","verdict":2}`,
      `{"key":"${key(5)}","verdict":1,"x":0}`,
      '',
      `{"key":"${key(6)}","verdict":0}`,
      `{"key":"${key(7)}","verdict":1`,
    ]
    writeFileSync(path, lines.join('\n'))
    const store = new VerdictStore(path)
    store.set(key(8), 1)
    const known = (of: VerdictStore) => [1, 2, 3, 4, 5, 6, 7, 8].map(n => of.get(key(n)))
    const expected = [1, undefined, undefined, undefined, undefined, 0, undefined, 1]
    expect(known(store)).toEqual(expected)
    expect(known(new VerdictStore(path))).toEqual(expected)
    expect(store.size).toBe(3)
  })

  it('reads a file of many megabytes', () => {
    const path = file()
    new VerdictStore(path).close()
    const lines = Array.from(
      { length: 40_000 },
      (_, n) => `{"key":"${key(n)}","verdict":${n % 2}}\n`,
    )
    writeFileSync(path, lines.join(''))
    const store = new VerdictStore(path)
    expect(store.size).toBe(40_000)
    expect(store.get(key(39_999))).toBe(1)
  })

  it('refuses what is not a verdict, and a path that cannot be', () => {
    const store = new VerdictStore(file())
    expect(() => store.set(key(1), 2 as 1)).toThrow(/not a line/)
    expect(() => store.set('short', 1)).toThrow(/not a line/)
    expect(() => new VerdictStore(join(SOURCE, 'cache.jsonl'))).toThrow(
      /cannot open the judge's cache/,
    )
  })

  it('loses nothing that was answered when writers are killed', async () => {
    const path = file()
    new VerdictStore(path).close()
    // Two writers, each killed while it writes; every number that one printed was written before.
    const outDir = join(path, '..', 'js')
    await build({
      configFile: false,
      logLevel: 'silent',
      build: { ssr: SOURCE, outDir, rollupOptions: { output: { entryFileNames: 'store.mjs' } } },
    })
    const script = `
      import { VerdictStore } from ${JSON.stringify(join(outDir, 'store.mjs'))}
      const store = new VerdictStore(${JSON.stringify(path)})
      const start = Number(process.argv[1])
      for (let n = start; ; n++) {
        store.set(n.toString(16).padStart(64, '0'), n % 2)
        if (n % 50 === 0) process.stdout.write(n + '\\n')
      }`
    const writer = async (start: number): Promise<number> => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, String(start)], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let printed = ''
      let errors = ''
      child.stderr.on('data', chunk => {
        errors += String(chunk)
      })
      for await (const chunk of child.stdout) {
        printed += String(chunk)
        if (printed.split('\n').length > 20) {
          child.kill('SIGKILL')
          break
        }
      }
      if (printed === '') throw new Error(errors)
      return Number(printed.split('\n').at(-2))
    }
    const [low, high] = await Promise.all([writer(0), writer(1_000_000)])
    const store = new VerdictStore(path)
    for (const [start, end] of [
      [0, low],
      [1_000_000, high],
    ] as const) {
      expect(end).toBeGreaterThan(start)
      for (let n = start; n <= end; n++) expect(store.get(key(n))).toBe(n % 2)
    }
  })
})

describe('a judge with a memory', () => {
  const counting = (script: Record<string, Verdict>) => {
    const asked: string[] = []
    const judge: KeyedJudge = {
      description: 'counting',
      keyOf: ({ answer }) => key(Number(answer)),
      judge: async ({ answer }) => {
        asked.push(answer)
        await new Promise(resolve => setTimeout(resolve, 5))
        return judgement(script[answer]!, { requests: 1 })
      },
      close: async () => {},
    }
    return { judge, asked }
  }

  it('asks once for equal items, also at the same time, and never again', async () => {
    const path = file()
    const { judge, asked } = counting({ 1: { verdict: 1 }, 2: { verdict: 0 } })
    const cached = cachedJudge(judge, new VerdictStore(path))
    const items = [item('1'), item('2'), item('1'), item('1')]
    expect(await verdicts(cached, items)).toEqual([1, 0, 1, 1].map(verdict => ({ verdict })))
    expect(asked).toEqual(['1', '2'])
    const again = await cached.judge(item('2'))
    expect(again).toMatchObject({ verdict: { verdict: 0 }, cached: true, requests: 0 })
    await cached.close()
    const later = cachedJudge(judge, new VerdictStore(path))
    expect(await verdicts(later, items)).toHaveLength(4)
    expect(asked).toHaveLength(2)
  })

  it('keeps no failure: the judge is asked again', async () => {
    const path = file()
    const script: Record<string, Verdict> = { 1: { failed: 'timeout' } }
    const { judge, asked } = counting(script)
    const cached = cachedJudge(judge, new VerdictStore(path))
    const given = await Promise.all([cached.judge(item('1')), cached.judge(item('1'))])
    expect(given.map(({ verdict, cached }) => [verdict, cached])).toEqual([
      [{ failed: 'timeout' }, false],
      [{ failed: 'timeout' }, false],
    ])
    expect(readFileSync(path, 'utf8')).toBe('')
    script[1] = { verdict: 1 }
    expect(await verdicts(cached, [item('1')])).toEqual([{ verdict: 1 }])
    expect(asked).toEqual(['1', '1'])
  })

  it('keeps what a judge says of an answer, in any script, over processes; a flipped bit loses it', async () => {
    const path = file()
    const said = '둘째 줄에서 "3 + 4"를 8로\n계산했습니다 😀 \\'
    let asked = 0
    const { judge } = counting({ 1: { verdict: 0 } })
    const speaks: KeyedJudge = {
      ...judge,
      critique: async ({ answer }) => {
        asked++
        return judgement<Critique>(answer === '2' ? { failed: 'busy' } : { critique: said })
      },
    }
    const cached = cachedJudge(speaks, new VerdictStore(path))
    expect((await cached.critique!(item('1'))).verdict).toEqual({ critique: said })
    expect(await cached.critique!(item('1'))).toMatchObject({
      ...{ verdict: { critique: said }, cached: true, requests: 0 },
    })
    expect((await cached.judge(item('1'))).verdict).toEqual({ verdict: 0 })
    expect((await cached.critique!(item('2'))).verdict).toEqual({ failed: 'busy' })
    await cached.critique!(item('2'))
    expect(asked).toBe(3)
    await cached.close()
    const later = cachedJudge(speaks, new VerdictStore(path))
    expect((await later.critique!(item('1'))).verdict).toEqual({ critique: said })
    expect(asked).toBe(3)
    await later.close()
    const [line] = readFileSync(path, 'utf8').split('\n')
    const at = line!.indexOf('critique') + 14
    const whole = readFileSync(path)
    whole[at]! ^= 1
    writeFileSync(path, whole)
    const damaged = cachedJudge(speaks, new VerdictStore(path))
    expect((await damaged.judge(item('1'))).cached).toBe(true)
    await damaged.critique!(item('1'))
    expect(asked).toBe(4)
    await damaged.close()
  })
})
