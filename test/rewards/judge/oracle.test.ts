/** The oracle's rules, its table, and judges that are programs. */
import { describe, expect, it } from 'vitest'
import { openJudge } from '../../../lib/rewards/judge/create.ts'
import { judgeItems } from '../../../lib/rewards/judge/items.ts'
import { applyOracle, type OracleRule } from '../../../lib/rewards/judge/oracle.ts'
import { ProgramRegistry } from '../../../lib/rewards/judge/program.ts'
import { agreement, cohensKappa } from '../../../lib/rewards/judge/table.ts'
import { type Judge, judgement, type Verdict } from '../../../lib/rewards/judge/types.ts'
import { item, verdicts } from './testing.ts'

type Asks = Pick<Judge, 'judge'>

describe('oracle', () => {
  // Samples: checker 1, 1, 0, 0, null, 1, 0; the judge says 1, 0, 1, 0, 1 and fails on the last two.
  const checker = [1, 1, 0, 0, null, 1, 0]
  const script: Verdict[] = [
    { verdict: 1 },
    { verdict: 0 },
    { verdict: 1 },
    { verdict: 0 },
    { verdict: 1 },
    { failed: 'timeout' },
    { failed: 'timeout' },
  ]
  const items = checker.map((_, i) => item(String(i)))
  const judge: Asks = { judge: async ({ answer }) => judgement(script[Number(answer)]!) }

  const expected: [OracleRule, (0 | 1 | null)[], number][] = [
    ['observe', [1, 1, 0, 0, null, 1, 0], 6],
    ['override', [1, 0, 1, 0, 1, 1, 0], 7],
    ['appeal', [1, 1, 1, 0, null, 1, 0], 3],
    ['veto', [1, 0, 0, 0, null, 1, 0], 3],
    ['both', [1, 0, 1, 0, null, 1, 0], 6],
  ]
  for (const [rule, final, calls] of expected) {
    it(`${rule} asks ${calls} and decides`, async () => {
      const { samples, stats } = await applyOracle({ rule, judge, checker, items })
      expect(samples.map(sample => sample.final)).toEqual(final)
      expect(stats.calls).toBe(calls)
      expect(samples.map(sample => sample.checker)).toEqual(checker)
    })
  }

  it('counts the 2 × 2 table, agreement, kappa and failures', async () => {
    const both = await applyOracle({ rule: 'both', judge, checker, items })
    expect(both.stats).toMatchObject({ tp: 1, fp: 1, fn: 1, tn: 1, agreement: 0.5, kappa: 0 })
    expect(both.stats).toMatchObject({ failures: 2, failure_rate: 2 / 6 })
    expect(both.stats.latency_s).toBeGreaterThanOrEqual(0)
    const veto = await applyOracle({ rule: 'veto', judge, checker, items })
    expect(veto.stats).toMatchObject({ tp: 1, fp: 1, fn: 0, tn: 0, agreement: 0.5, kappa: 0 })
    const sample = both.samples[5]!
    expect(sample).toEqual({ checker: 1, judge: null, final: 1, failure: 'timeout' })
    const none = await applyOracle({ rule: 'appeal', judge, checker: [1], items: [item('0')] })
    expect(none.stats).toMatchObject({ calls: 0, failure_rate: 0, agreement: null, kappa: null })
    expect(none.stats).toMatchObject({ tokens: null, latency_mean_s: null })
  })

  it('adds up what the judgements took, and tells how far it is', async () => {
    const paid: Asks = {
      judge: async ({ answer }) =>
        answer === '0'
          ? judgement({ verdict: 1 }, { cached: true })
          : judgement(
              { verdict: 0 },
              { requests: 2, tokens: { prompt: 100, completion: 7 }, latency_s: Number(answer) },
            ),
    }
    const seen: string[] = []
    const { stats } = await applyOracle({
      rule: 'both',
      judge: paid,
      checker: [1, 1, 0],
      items: items.slice(0, 3),
      onProgress: (done, asked) => void seen.push(`${done}/${asked}`),
    })
    expect(stats).toMatchObject({
      calls: 3,
      cache_hits: 1,
      requests: 4,
      tokens: { prompt: 200, completion: 14 },
      latency_mean_s: 1.5,
      latency_max_s: 2,
    })
    expect(seen).toEqual(['1/3', '2/3', '3/3'])
  })

  it('refuses graded checkers, wrong counts, unknown rules and impossible verdicts', async () => {
    const base = { rule: 'both' as const, judge, items: [item('0')] }
    await expect(applyOracle({ ...base, checker: [0.5] })).rejects.toThrow(/sample 0 is 0.5/)
    await expect(applyOracle({ ...base, checker: [1, 1] })).rejects.toThrow(/1 judge items for 2/)
    await expect(
      applyOracle({ ...base, checker: [1], rule: 'average' as OracleRule }),
    ).rejects.toThrow(/'average' is unknown/)
    const odd = await applyOracle({
      ...base,
      checker: [1],
      judge: { judge: async () => judgement({ verdict: 2 as 1 }) },
    })
    expect(odd.samples[0]).toMatchObject({ judge: null, final: 1 })
    expect(odd.stats.failure_rate).toBe(1)
  })
})

describe("Cohen's kappa", () => {
  it('is that of worked examples', () => {
    // Two doctors on 50 patients: p_o = 0.7, p_e = 0.5 (the textbook example).
    expect(cohensKappa({ tp: 20, fp: 5, fn: 10, tn: 15 })).toBeCloseTo(0.4, 12)
    expect(cohensKappa({ tp: 45, fp: 15, fn: 25, tn: 15 })).toBeCloseTo(0.1304347826, 9)
    expect(cohensKappa({ tp: 5, fp: 0, fn: 0, tn: 5 })).toBe(1)
    expect(cohensKappa({ tp: 0, fp: 5, fn: 5, tn: 0 })).toBe(-1)
  })

  it('is 0 for a rater that says one thing, and undefined where both do', () => {
    expect(cohensKappa({ tp: 7, fp: 3, fn: 0, tn: 0 })).toBe(0)
    expect(cohensKappa({ tp: 9, fp: 0, fn: 0, tn: 0 })).toBeNull()
    expect(cohensKappa({ tp: 0, fp: 0, fn: 0, tn: 0 })).toBeNull()
    expect(agreement({ tp: 0, fp: 0, fn: 0, tn: 0 })).toBeNull()
  })
})

describe('program judge', () => {
  const context = { cacheFile: '/nowhere', modelPath: (path: string) => path }

  it('is found by name; exceptions and odd results are failed verdicts', async () => {
    const programs = new ProgramRegistry()
      .register('equal', ({ answer, reference }) => answer === reference)
      .register('broken', () => {
        throw new Error('boom')
      })
      .register('odd', () => 0.5 as 0)
    const items = [item('12'), item('13')]
    const judge = await openJudge({ kind: 'program', name: 'equal' }, { ...context, programs })
    expect(await verdicts(judge, items)).toEqual([{ verdict: 1 }, { verdict: 0 }])
    expect(await verdicts(programs.judge('broken'), items.slice(0, 1))).toEqual([
      { failed: "program 'broken' failed: boom" },
    ])
    expect(await verdicts(programs.judge('odd'), items.slice(0, 1))).toEqual([
      { failed: "program 'odd' returned 0.5 instead of 0 or 1" },
    ])
    const preset = { ...context, programs, defaultProgram: 'equal' }
    expect((await openJudge({ kind: 'program' }, preset)).description).toBe('program equal')
    await expect(openJudge({ kind: 'program' }, { ...context, programs })).rejects.toThrow(
      /has no name/,
    )
    expect(() => programs.judge('mini')).toThrow(/'mini' is unknown \(registered: equal, broken/)
    expect(() => programs.register('equal', () => 1)).toThrow(/already registered/)
  })

  it('stops on cancellation', async () => {
    const programs = new ProgramRegistry().register('one', () => 1)
    await expect(programs.judge('one').judge(item('1'), AbortSignal.abort())).rejects.toThrow()
  })
})

describe('judgeItems', () => {
  const input = {
    prompts: [
      [
        { role: 'system', content: 's' },
        { role: 'user', content: '첫째' },
        { role: 'assistant', content: 'a' },
        { role: 'user', content: '둘째' },
      ],
    ],
    completions: ['<think>비밀 13</think>답: 12'],
    completionIds: [new Int32Array(1)],
    truncated: [false],
    columns: { answer: [12], gold: ['열둘'] },
  }

  it('takes the last user message, the reference and the answer without the thinking', () => {
    const columns = { answer: 12, gold: '열둘' }
    const plain = { question: '둘째', reference: '12', answer: '답: 12', thinking: null, columns }
    expect(judgeItems(input)).toEqual([plain])
    expect(() => judgeItems({ ...input, prompts: [[]] })).toThrow(/sample 0 has no user message/)
  })

  it('takes another reference column and the thinking where asked to', () => {
    const [only] = judgeItems(input, { referenceColumn: 'gold', seeThinking: true })
    expect(only).toMatchObject({ reference: '열둘', thinking: '비밀 13' })
    expect(() => judgeItems(input, { referenceColumn: 'solution' })).toThrow(/'solution'/)
  })
})
