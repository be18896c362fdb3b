/**
 * Whether a policy becomes narrower instead of more able (arXiv 2509.22613): pass@1 rises while pass@k
 * falls, both as moving averages over the rounds. Measured against the moment at which pass@k was
 * highest; told once, and again only after it has recovered. Plain JSON.
 */
export interface NarrowingState {
  rounds: number
  pass_at_1: number
  pass_at_k: number
  /** At the highest pass@k. */
  peak: { pass_at_1: number; pass_at_k: number } | null
  told: boolean
}

export const FRESH_NARROWING: NarrowingState = {
  rounds: 0,
  pass_at_1: 0,
  pass_at_k: 0,
  peak: null,
  told: false,
}

/** Takes in a round; `narrows` is true on the round at which it is to be said. */
export function observeNarrowing(
  state: NarrowingState,
  pass_at_1: number,
  pass_at_k: number,
  { window, margin }: { window: number; margin: number },
): { state: NarrowingState; narrows: boolean } {
  const rounds = state.rounds + 1
  const rate = Math.max(1 / rounds, 2 / (window + 1))
  const average = (before: number, value: number): number => before + (value - before) * rate
  const next = {
    ...state,
    rounds,
    pass_at_1: average(state.pass_at_1, pass_at_1),
    pass_at_k: average(state.pass_at_k, pass_at_k),
  }
  // Averages of few rounds say nothing yet.
  if (rounds < window) return { state: next, narrows: false }
  const { peak } = state
  if (peak === null || next.pass_at_k >= peak.pass_at_k) {
    const now = { pass_at_1: next.pass_at_1, pass_at_k: next.pass_at_k }
    return { state: { ...next, peak: now, told: false }, narrows: false }
  }
  const fell = next.pass_at_k <= peak.pass_at_k - margin
  const narrows = fell && next.pass_at_1 > peak.pass_at_1
  const recovered = next.pass_at_k > peak.pass_at_k - margin / 2
  const told = state.told ? !recovered : narrows
  return { state: { ...next, told }, narrows: narrows && !state.told }
}
