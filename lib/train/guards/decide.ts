/**
 * The guards' decision core: `observe(state, step, metrics, spec)` is a pure function from what was
 * known and the metrics of one round to what is known now and what to do. No clock, no files, no
 * engine: guards.ts carries decisions out. The state is plain JSON, so that a resumed run decides
 * as the uninterrupted one would have.
 */

import type { GuardSpec, WatchName } from '../../config/schema/guards.ts'
import { joined, type Phrase, phrase, written } from '../../messages/phrase.ts'
import type { GuardDecision, Metrics } from '../../report/events.ts'
import { SOURCES } from './values.ts'
import {
  advance,
  CALM,
  FRESH_WATCH,
  limitOf,
  severity,
  type WatchOptions,
  type WatchState,
} from './watch.ts'

type GuardAction = GuardDecision['action']

type Watches = Partial<Record<WatchName, WatchState>>

/** A watch beyond its limit. */
interface Trip {
  watch: WatchName
  average: number
  baseline: number
  limit: number
}

/** A decision with its trips typed. */
interface GuardRecord extends GuardDecision {
  trips: Trip[]
}

export interface GuardState {
  watches: Watches
  rollbacks: number
  learning_rate_factor: number
  /** The last good state that was kept, and what the watches had seen by then. */
  good: { step: number; watches: Watches; sha256?: string | undefined } | null
  records: GuardRecord[]
}

export interface Observation {
  /** The watches after this round, also where a rollback sets them back. */
  watches: Watches
  state: GuardState
  /** What has to be done now; null when nothing tripped. */
  record: GuardRecord | null
  /** The record's message, in any language. */
  told: Phrase | null
  /** Whether the present weights are to be kept as the last good ones. */
  keep: boolean
}

export const FRESH_GUARDS: GuardState = {
  watches: {},
  rollbacks: 0,
  learning_rate_factor: 1,
  good: null,
  records: [],
}

/** The watches that are on, with their options. */
export function watchOptions(spec: GuardSpec): [WatchName, WatchOptions][] {
  return (Object.keys(SOURCES) as WatchName[]).flatMap(name => {
    const { enabled, factor, margin } = spec.watches[name]
    const { window, warmup_steps, patience } = spec
    const { direction } = SOURCES[name]
    return enabled
      ? [[name, { direction, factor, margin, window, warmup_steps, patience }] as const]
      : []
  }) as [WatchName, WatchOptions][]
}

/** Takes in the metrics of a round that ended with optimizer step `step`. */
export function observe(
  state: GuardState,
  step: number,
  metrics: Metrics,
  spec: GuardSpec,
): Observation {
  const watches: Watches = {}
  const trips: Trip[] = []
  let worst = 0
  for (const [name, options] of watchOptions(spec)) {
    const before = state.watches[name] ?? FRESH_WATCH
    const watch = advance(before, SOURCES[name].read(metrics), options)
    watches[name] = watch
    worst = Math.max(worst, severity(watch, options))
    if (watch.tripped && !before.tripped) {
      const [average, baseline] = [watch.average!, watch.baseline!]
      trips.push({ watch: name, average, baseline, limit: limitOf(watch, options)! })
    }
  }
  const next = { ...state, watches }
  if (trips.length > 0) return decide(next, step, trips, spec)
  // A state is good while every watch is calm: shortly before a trip it has already gone astray.
  const due = step - (state.good?.step ?? 0) >= spec.keep_steps
  const keep = spec.action === 'rollback' && due && worst < CALM
  return {
    watches,
    state: keep ? { ...next, good: { step, watches } } : next,
    record: null,
    told: null,
    keep,
  }
}

function decide(state: GuardState, step: number, trips: Trip[], spec: GuardSpec): Observation {
  const watches = state.watches
  const action = chosenAction(state, spec)
  const reasons = joined(trips.map(explain), '; ')
  if (action !== 'rollback') {
    const told =
      action !== 'stop'
        ? phrase('guard at step {step}: {reasons}: warning only', { step, reasons })
        : spec.action === 'rollback'
          ? phrase(
              'guard at step {step}: {reasons}: the stage ends here (after {spent} rollbacks)',
              {
                step,
                reasons,
                spent: state.rollbacks,
              },
            )
          : phrase('guard at step {step}: {reasons}: the stage ends here', { step, reasons })
    const message = String(told)
    const record = { step, action, trips, message }
    return {
      state: { ...state, records: [...state.records, record] },
      record,
      told,
      keep: false,
      watches,
    }
  }
  const good = state.good!
  const learning_rate_factor = state.learning_rate_factor * spec.learning_rate_factor
  const told = phrase(
    'guard at step {step}: {reasons}: back to the weights and optimizer of step {good}, learning rate × {factor}',
    { step, reasons, good: good.step, factor: Number(learning_rate_factor.toPrecision(3)) },
  )
  const message = String(told)
  const record = { step, action, trips, restored_step: good.step, learning_rate_factor, message }
  return {
    state: {
      ...state,
      watches: good.watches,
      rollbacks: state.rollbacks + 1,
      learning_rate_factor,
      records: [...state.records, record],
    },
    watches,
    record,
    told,
    keep: false,
  }
}

function chosenAction(state: GuardState, spec: GuardSpec): GuardAction {
  if (spec.action !== 'rollback') return spec.action === 'stop' ? 'stop' : 'warn'
  return state.rollbacks < spec.max_rollbacks && state.good !== null ? 'rollback' : 'stop'
}

function explain({ watch, average, baseline, limit }: Trip): Phrase {
  const { title, direction } = SOURCES[watch]
  const figure = (x: number): number => Number(x.toPrecision(3))
  const said = {
    watch,
    title: written(title),
    now: figure(average),
    edge: figure(limit),
    best: figure(baseline),
  }
  return direction === 'falls'
    ? phrase(
        '{watch}: the {title} falls to {now} in the moving average, beyond the limit {edge} (baseline {best})',
        said,
      )
    : phrase(
        '{watch}: the {title} rises to {now} in the moving average, beyond the limit {edge} (baseline {best})',
        said,
      )
}
