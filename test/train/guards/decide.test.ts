/** The guards' decision core, on numbers: averages, baselines, limits, trips and what follows. */
import { describe, expect, it } from 'vitest'
import { type GuardSpec, guards, type WatchName } from '../../../lib/config/schema/guards.ts'
import type { Metrics } from '../../../lib/report/events.ts'
import {
  FRESH_GUARDS,
  type GuardState,
  type Observation,
  observe,
} from '../../../lib/train/guards/decide.ts'
import {
  advance,
  FRESH_WATCH,
  limitOf,
  severity,
  type WatchOptions,
} from '../../../lib/train/guards/watch.ts'

const rising: WatchOptions = {
  direction: 'rises',
  factor: 1.5,
  margin: 0.06,
  window: 3,
  warmup_steps: 2,
  patience: 2,
}

/** A recipe's guards in which `watches` alone are on. */
function specOf(
  watches: Partial<Record<WatchName, { factor?: number; margin?: number }>>,
  rest: Partial<GuardSpec> = {},
): GuardSpec {
  const spec = guards.parse({ window: 1, warmup_steps: 1, patience: 2, keep_steps: 3, ...rest })
  for (const name of Object.keys(spec.watches) as WatchName[]) {
    spec.watches[name] = { ...spec.watches[name], enabled: name in watches, ...watches[name] }
  }
  return spec
}

/** Observes the rows as steps 1, 2, …; the observations in order. */
function play(rows: Metrics[], spec: GuardSpec, from: GuardState = FRESH_GUARDS): Observation[] {
  let state = from
  return rows.map((metrics, i) => {
    const observation = observe(state, i + 1, metrics, spec)
    state = observation.state
    return observation
  })
}

const accuracies = (values: number[]): Metrics[] =>
  values.map(value => ({ 'rewards/accuracy/mean': value }))

describe('a watch', () => {
  it('averages as a mean first and exponentially then, with the best average as baseline', () => {
    const averages: number[] = []
    const baselines: (number | null)[] = []
    let state = FRESH_WATCH
    for (const value of [0.04, 0.02, 0.09, 0.01]) {
      state = advance(state, value, rising)
      averages.push(state.average!)
      baselines.push(state.baseline)
    }
    // Rates 1, 1/2, then 2/(3 + 1) = 1/2.
    expect(averages).toEqual([0.04, 0.03, 0.06, 0.035].map(x => expect.closeTo(x, 12)))
    expect(baselines).toEqual([null, 0.03, 0.03, 0.03].map(x => x && expect.closeTo(x, 12)))
    expect(limitOf(state, rising)).toBeCloseTo(0.03 * 1.5 + 0.06, 12)
    // (0.035 − 0.03) of the way from 0.03 to 0.105.
    expect(severity(state, rising)).toBeCloseTo(0.005 / 0.075, 12)
    const falling: WatchOptions = { ...rising, direction: 'falls', factor: 0.6, margin: 0.02 }
    expect(limitOf({ ...state, baseline: 0.5 }, falling)).toBeCloseTo(0.28, 12)
    expect(severity({ ...state, baseline: 0.5, average: 0.39 }, falling)).toBeCloseTo(0.5, 12)
  })

  it('trips after `patience` values beyond the limit, and anew only when it was calm between', () => {
    const options = { ...rising, window: 1, warmup_steps: 1, factor: 1, margin: 0.1 }
    const seen: [number, boolean][] = []
    let state = FRESH_WATCH
    for (const value of [0, 0.2, 0, 0.2, 0.2, 0.08, 0.2, 0.2, 0.04, 0.2, 0.2]) {
      state = advance(state, value, options)
      seen.push([state.over, state.tripped])
    }
    expect(seen.map(([over]) => over)).toEqual([0, 1, 0, 1, 2, 0, 1, 2, 0, 1, 2])
    expect(seen.map(([, tripped]) => tripped)).toEqual(
      [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1].map(Boolean),
    )
  })

  it('passes over what a step does not say, and has no scale where there is no room', () => {
    const state = advance(FRESH_WATCH, 0.5, { ...rising, warmup_steps: 1 })
    for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(advance(state, value, rising)).toBe(state)
    }
    const zero = advance(FRESH_WATCH, 0, { ...rising, warmup_steps: 1, margin: 0 })
    expect(severity(advance(zero, 5, { ...rising, margin: 0 }), { ...rising, margin: 0 })).toBe(0)
  })
})

describe('guards decide', () => {
  it('warns once, with the numbers, about an accuracy that falls below 0.6 of its peak', () => {
    const seen = play(accuracies([0.5, 0.8, 0.5, 0.45, 0.4, 0.4]), specOf({ accuracy: {} }))
    expect(seen.map(({ record }) => record?.action ?? null)).toEqual([
      null,
      null,
      null,
      null,
      'warn',
      null,
    ])
    const { record, state } = seen[4]!
    expect(record!.trips).toEqual([
      { watch: 'accuracy', average: 0.4, baseline: 0.8, limit: expect.closeTo(0.48, 12) },
    ])
    expect(record!.message).toContain(
      'accuracy: the accuracy reward falls to 0.4 in the moving average, beyond the limit 0.48 (baseline 0.8)',
    )
    expect(state.records).toEqual([record])
  })

  it("trips on the checker's false positives while its own accuracy still rises", () => {
    const spec = specOf({ accuracy: {}, false_positives: {} }, { action: 'stop' })
    const rows = [0.02, 0.02, 0.04, 0.16, 0.2].map((share, i) => ({
      'rewards/accuracy/mean': 0.5 + i / 20,
      'judge/tp': 100 * (1 - share),
      'judge/fp': 100 * share,
    }))
    const last = play(rows, spec).at(-1)!
    expect(last.record).toMatchObject({ step: 5, action: 'stop' })
    expect(last.record!.trips).toHaveLength(1)
    // 0.02 × 1.5 + 0.1.
    expect(last.record!.trips[0]!.limit).toBeCloseTo(0.13, 12)
    expect(last.record!.message).toContain('the stage ends here')
  })

  const cases: [WatchName, Metrics, Metrics][] = [
    ['answer_numbers', { 'completions/answer_numbers': 1.1 }, { 'completions/answer_numbers': 2 }],
    ['truncated', { 'completions/clipped_ratio': 0.1 }, { 'completions/clipped_ratio': 0.4 }],
    ['zero_variance', { frac_reward_zero_std: 0.2 }, { frac_reward_zero_std: 0.9 }],
    ['entropy_low', { entropy: 0.4 }, { entropy: 0.03 }],
    ['entropy_high', { entropy: 0.4 }, { entropy: 1.1 }],
    ['kl', { kl: 0.1 }, { kl: 0.8 }],
    ['grad_norm', { grad_norm: 0.1 }, { grad_norm: 1 }],
    ['false_positives', { 'judge/tp': 9, 'judge/fp': 1 }, { 'judge/tp': 7, 'judge/fp': 3 }],
    ['accuracy', { 'rewards/accuracy/mean': 0.5 }, { 'rewards/accuracy/mean': 0.29 }],
  ]
  it.each(cases)('%s: trips by its default limit, and not when it is off', (name, calm, bad) => {
    const rows = [calm, calm, bad, bad]
    const spec = specOf({ [name]: {} })
    const [before, after] = play(rows, spec).slice(-2)
    expect(before!.record).toBeNull()
    expect(after!.record!.trips.map(({ watch }) => watch)).toEqual([name])
    spec.watches[name].enabled = false
    expect(play(rows, spec).every(({ record }) => record === null)).toBe(true)
    // Twice as much room, and the same numbers do not trip.
    const wide = specOf({ [name]: { margin: 3 } })
    expect(play(rows, wide).every(({ record }) => record === null)).toBe(true)
  })

  it('a step without a gradient or without passes says nothing about them', () => {
    const spec = specOf({ grad_norm: {}, false_positives: {} })
    const rows = [{ grad_norm: 0, 'judge/tp': 0, 'judge/fp': 0 }]
    expect(play(rows, spec)[0]!.watches).toEqual({
      grad_norm: FRESH_WATCH,
      false_positives: FRESH_WATCH,
    })
  })

  it('rolls back to the last calm state, lowers the rate each time, and then stops', () => {
    const spec = specOf({ accuracy: {} }, { action: 'rollback', max_rollbacks: 2 })
    const from = { ...FRESH_GUARDS, good: { step: 0, watches: {} } }
    // Step 6 is due to be kept but not calm: 0.6 lies at (0.8 − 0.6) / 0.32 of the way.
    const falls = [0.7, 0.8, 0.8, 0.75, 0.7, 0.6, 0.4, 0.4]
    const rows = accuracies([...falls, 0.4, 0.4, 0.4, 0.4])
    const seen = play(rows, spec, from)
    expect(seen.map(({ keep }) => keep).indexOf(true)).toBe(2)
    expect(seen.filter(({ keep }) => keep)).toHaveLength(1)
    const made = seen.flatMap(({ record }) => record ?? [])
    expect(made.map(({ step, action }) => [step, action])).toEqual([
      [8, 'rollback'],
      [10, 'rollback'],
      [12, 'stop'],
    ])
    expect(made.map(r => [r.restored_step, r.learning_rate_factor])).toEqual([
      [3, 0.5],
      [3, 0.25],
      [undefined, undefined],
    ])
    // The averages go back with the weights: the peak of the good state is known again.
    expect(seen[7]!.state.watches).toEqual(seen[2]!.state.watches)
    expect(made[2]!.message).toContain('after 2 rollbacks')
    const one = play(rows, { ...spec, learning_rate_factor: 0.1 }, from)[7]!
    expect(one.state.learning_rate_factor).toBeCloseTo(0.1, 12)
  })

  it('warm-up, window and patience move the step of the trip', () => {
    const rows = accuracies([0.8, 0.8, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3])
    const step = (rest: Partial<GuardSpec>): number | undefined =>
      play(rows, specOf({ accuracy: {} }, rest)).find(({ record }) => record)?.record?.step
    expect(step({})).toBe(4)
    expect(step({ patience: 1 })).toBe(3)
    expect(step({ patience: 4 })).toBe(6)
    expect(step({ window: 3 })).toBe(5)
    expect(step({ warmup_steps: 4 })).toBeUndefined()
  })

  it('decides the same from a state that went through JSON', () => {
    const spec = specOf({ accuracy: {} }, { action: 'rollback' })
    const from = { ...FRESH_GUARDS, good: { step: 0, watches: {} } }
    const rows = accuracies([0.7, 0.8, 0.8, 0.3, 0.3, 0.8])
    const whole = play(rows, spec, from)
    let state: GuardState = from
    rows.forEach((metrics, i) => {
      const seen = observe(JSON.parse(JSON.stringify(state)) as GuardState, i + 1, metrics, spec)
      expect(seen).toEqual(whole[i])
      state = seen.state
    })
  })
})
