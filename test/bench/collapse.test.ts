/** The arithmetic of the collapse experiment's table, on curves made by hand. */
import { describe, expect, it } from 'vitest'

type Curve = [number, number][]

interface Analysis {
  movingMeans(values: number[], width: number): number[]
  peakAndEnd(curve: Curve): Record<string, number | null>
  plateau(rewards: number[]): { first: number; best: number; last: number }
  firstTrip(records: unknown[], curve: Curve): Record<string, unknown> | null
  verdict(seeds: unknown[]): { claim: string; seeds: number; of: number; met: boolean }[]
}

const script = new URL('../../bench/collapse/analysis.mjs', import.meta.url).href
const { movingMeans, peakAndEnd, plateau, firstTrip, verdict } = (await import(script)) as Analysis
const plot = new URL('../../bench/collapse/plot.mjs', import.meta.url).href
const { drawCurves } = (await import(plot)) as { drawCurves(curves: unknown[]): string }

const curve: Curve = [
  [0, 0.5],
  [20, 0.6],
  [40, 0.9],
  [60, 0.6],
  [80, 0.5],
  [100, 0.4],
  [120, 0.2],
]

describe('the collapse experiment', () => {
  it('takes the peak over three evaluations and the end as it is', () => {
    expect(movingMeans([1, 2, 6, 4], 3)).toEqual([3, 4])
    const found = peakAndEnd(curve)
    expect(found.peak).toBeCloseTo(0.7, 12)
    expect(found).toMatchObject({ peak_step: 40, end: 0.2, third_lost_step: 100 })
    expect(found.ratio).toBeCloseTo(0.2 / 0.7, 12)
    expect(found.end_smoothed).toBeCloseTo(1.1 / 3, 12)
    const rising: Curve = [
      [0, 0.2],
      [1, 0.4],
      [2, 0.6],
    ]
    expect(peakAndEnd(rising)).toMatchObject({ third_lost_step: null, end: 0.6 })
    expect(peakAndEnd(rising).ratio).toBeCloseTo(1.5, 12)
  })

  it('measures the plateau of the checker and the accuracy around a trip', () => {
    const rewards = [...Array(50).fill(0.4), ...Array(50).fill(0.8), ...Array(50).fill(0.6)]
    const held = plateau(rewards as number[])
    expect([held.first, held.best, held.last]).toEqual(
      [0.4, 0.8, 0.6].map(x => expect.closeTo(x, 12)),
    )
    const record = { step: 70, trips: [{ watch: 'false_positives' }], message: 'why' }
    expect(firstTrip([record], curve)).toMatchObject({
      step: 70,
      watches: ['false_positives'],
      accuracy_before: 0.6,
      accuracy_after: 0.5,
    })
    expect(firstTrip([], curve)).toBeNull()
  })

  it('counts the seeds that hold a claim', () => {
    const arm = (ratio: number, guard: { step: number } | null): object => ({
      ratio,
      guard,
      third_lost_step: 100,
      plateau: { best: 0.8, last: 0.79 },
      minus_sft: { ci95: [0.1, 0.2] },
    })
    const seeds = [
      ...Array.from({ length: 4 }, () => ({
        checker: arm(0.3, { step: 60 }),
        oracle: arm(0.97, null),
      })),
      { checker: arm(0.6, { step: 100 }), oracle: arm(0.89, { step: 5 }) },
    ]
    const found = verdict(seeds).map(({ seeds: count, met }) => [count, met])
    expect(found).toEqual([
      [4, true],
      [5, true],
      [4, false],
      [4, false],
      [4, false],
      [5, true],
      [4, false],
    ])
  })

  it('draws a panel a seed and row, with the trip where it was', () => {
    const rows = Array.from({ length: 30 }, (_, i) => [i + 1, 0.5, i % 2 ? 0.1 : null])
    const columns = ['step', 'checker_reward', 'false_positives']
    const arm = { evaluation: curve, training: { columns, rows }, guards: [] }
    const tripped = { ...arm, guards: [{ step: 60 }] }
    const svg = drawCurves([{ seed: 7, checker: tripped, oracle: arm }])
    expect(svg.match(/<rect class="frame"/g)).toHaveLength(2)
    expect(svg.match(/<path class="trip" d="M\d+(\.\d)? \d+v150"/g)).toHaveLength(2)
    expect(svg).toContain('>seed 7<')
    expect(svg).not.toContain('NaN')
    // Half of the steps lie left of the mark: step 60 of 120.
    const [left, width] = [52, 1100 - 52 - 12]
    expect(svg).toContain(`<path class="trip" d="M${left + width / 2} `)
  })
})
