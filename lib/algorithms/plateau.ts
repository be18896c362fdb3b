/** When a measured value has stopped to rise: for resetting the reference model (ProRL). Plain JSON. */
export interface PlateauState {
  /** Highest value since the last reset; null before the first. */
  best: number | null
  /** Values since then that did not exceed it by min_delta. */
  since: number
  /** Resets so far. */
  resets: number
}

export const FRESH_PLATEAU: PlateauState = { best: null, since: 0, resets: 0 }

/** Takes in one value; `reset` says that `patience` values in a row brought nothing. */
export function observePlateau(
  state: PlateauState,
  value: number,
  options: { patience: number; min_delta: number },
): { state: PlateauState; reset: boolean } {
  if (state.best === null || value > state.best + options.min_delta) {
    return { state: { ...state, best: value, since: 0 }, reset: false }
  }
  const since = state.since + 1
  if (since < options.patience) return { state: { ...state, since }, reset: false }
  return { state: { best: value, since: 0, resets: state.resets + 1 }, reset: true }
}
