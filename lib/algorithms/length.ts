/**
 * The cosine length reward (Yeo et al. 2025, arXiv 2502.03373, eq. 1; names and defaults of open-r1's
 * `cosine_scaled`; ProRL, arXiv 2505.24864, switches it on for a part of the steps): right completions
 * earn more the shorter they are, wrong ones lose less the longer they have tried.
 *
 *   v(t) = v_L + (v_0 − v_L) / 2 · (1 + cos(π t / L))     from v_0 at t = 0 to v_L at t = L
 *   right  v_0 = max_value_correct, v_L = min_value_correct
 *   wrong  v_0 = min_value_wrong,   v_L = max_value_wrong;  min_value_wrong where L cut it off
 */
interface CosineLengthOptions {
  min_value_wrong: number
  max_value_wrong: number
  min_value_correct: number
  max_value_correct: number
}

/** The reward of `tokens` of at most `limit`; null where there is no verdict. */
export function cosineLength(
  accuracy: number | null,
  tokens: number,
  truncated: boolean,
  limit: number,
  options: CosineLengthOptions,
): number | null {
  if (accuracy === null) return null
  const right = accuracy >= 0.5
  if (!right && truncated) return options.min_value_wrong
  const [start, end] = right
    ? [options.max_value_correct, options.min_value_correct]
    : [options.min_value_wrong, options.max_value_wrong]
  const progress = Math.min(1, tokens / limit)
  return end + ((start - end) / 2) * (1 + Math.cos(Math.PI * progress))
}

/** Whether a cycle of `on` steps with and `off` steps without it has it at `step` (from 1). */
export function cycleIsOn(step: number, on: number, off: number): boolean {
  return (step - 1) % (on + off) < on
}

/** ProRL's coefficient on completions that were cut off: rewards above 0 times `coef`. */
export function truncatedReward(
  value: number | null,
  truncated: boolean,
  coef: number,
): number | null {
  return truncated && value !== null && value > 0 ? coef * value : value
}
