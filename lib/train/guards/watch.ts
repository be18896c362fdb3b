/**
 * One watched quantity: its moving average, the best value that average has had (the baseline), and
 * whether it has been beyond the limit for too long. Pure functions on plain, serialisable state.
 *
 *   average ← average + (x − average) · max(1/n, 2/(window + 1))     a mean first, then exponential
 *   baseline = least average so far (rising watches) or greatest (falling ones), after the warm-up
 *   limit    = baseline · factor + margin, or baseline · factor − margin
 *
 * The baseline follows the best and never the last value: a slow drift cannot carry its own
 * baseline with it.
 */

export type Direction = 'rises' | 'falls'

interface WatchLimit {
  factor: number
  margin: number
}

export interface WatchState {
  /** Values seen. */
  observed: number
  average: number | null
  /** Null until the warm-up is over. */
  baseline: number | null
  /** Values in a row with the average beyond the limit. */
  over: number
  /** Beyond the limit for `patience` values, and not calm since: told once. */
  tripped: boolean
}

export interface WatchOptions extends WatchLimit {
  direction: Direction
  window: number
  warmup_steps: number
  patience: number
}

/** Below this severity a watch is calm: it is nearer to its baseline than to its limit. */
export const CALM = 0.5

export const FRESH_WATCH: WatchState = {
  observed: 0,
  average: null,
  baseline: null,
  over: 0,
  tripped: false,
}

/** The state after one more value; a null or non-finite value changes nothing. */
export function advance(
  state: WatchState,
  value: number | null | undefined,
  options: WatchOptions,
): WatchState {
  if (value === null || value === undefined || !Number.isFinite(value)) return state
  const observed = state.observed + 1
  const rate = Math.max(1 / observed, 2 / (options.window + 1))
  const before = state.average ?? value
  const average = before + (value - before) * rate
  if (observed < options.warmup_steps) return { ...FRESH_WATCH, observed, average }
  const best = options.direction === 'rises' ? Math.min : Math.max
  const baseline = best(state.baseline ?? average, average)
  const next = { ...state, observed, average, baseline }
  const level = severity(next, options)
  const over = level > 1 ? state.over + 1 : 0
  const tripped = over >= options.patience || (state.tripped && level >= CALM)
  return { ...next, over, tripped }
}

/** The value that the average must not pass; null before there is a baseline. */
export function limitOf(state: WatchState, options: WatchOptions): number | null {
  if (state.baseline === null) return null
  const { direction, factor, margin } = options
  return state.baseline * factor + (direction === 'rises' ? margin : -margin)
}

/** Where the average stands between baseline (0) and limit (1); 0 before there is a baseline. */
export function severity(state: WatchState, options: WatchOptions): number {
  const limit = limitOf(state, options)
  if (limit === null || state.average === null || state.baseline === null) return 0
  const room = limit - state.baseline
  // Without room (a baseline of 0 and no margin, or a factor of 1) there is no scale to measure by.
  return room === 0 ? 0 : (state.average - state.baseline) / room
}
