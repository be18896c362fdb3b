/**
 * The policy-gradient term of one token, before averaging: a function of the log importance weight
 * w (ratio r = e^w), the token's log-prob l and the advantage A. Each surrogate returns the value
 * and its two derivatives, through w and through l directly; how w depends on the log-probs (token
 * or sequence level) and how tokens are averaged belong to the caller.
 *
 *   clip   −min(r A, clip(r, 1 − ε_low, 1 + ε_high) A), r capped by δ in the first branch
 *          (PPO; INTELLECT-2 for δ): grpo, dr_grpo, dapo, bnpo
 *   cispo  −stop_gradient(min(r, ε_high)) A l   (MiniMax-M1; ε_high is an absolute cap)
 *   sapo   −(4/τ) σ(τ (r − 1)) A, τ by the sign of A   (Soft Adaptive Policy Optimization)
 *
 * All agree with TRL 1.13 `GRPOTrainer._compute_loss`, ties of the minimum included (torch halves
 * the gradient between equal branches).
 */

export interface SurrogateOptions {
  epsilon: number
  epsilon_high: number
  delta: number | null
  sapo_temperature_pos: number
  sapo_temperature_neg: number
}

export interface SurrogateTerm {
  value: number
  /** Derivative through the log importance weight. */
  byWeight: number
  /** Derivative through the token's own log-prob, the weight held fixed. */
  byLogprob: number
}

export type Surrogate = (
  ratio: number,
  logprob: number,
  advantage: number,
  options: SurrogateOptions,
) => SurrogateTerm

export const clipSurrogate: Surrogate = (ratio, _logprob, advantage, options) => {
  const low = 1 - options.epsilon
  const high = 1 + options.epsilon_high
  const capped = options.delta !== null && ratio > options.delta
  const free = (capped ? options.delta! : ratio) * advantage
  const clipped = Math.min(Math.max(ratio, low), high) * advantage
  const slope = ratio * advantage
  const freeSlope = capped ? 0 : slope
  const clippedSlope = ratio < low || ratio > high ? 0 : slope
  if (free === clipped) {
    return { value: -free, byWeight: -(freeSlope + clippedSlope) / 2, byLogprob: 0 }
  }
  return free < clipped
    ? { value: -free, byWeight: -freeSlope, byLogprob: 0 }
    : { value: -clipped, byWeight: -clippedSlope, byLogprob: 0 }
}

export const cispoSurrogate: Surrogate = (ratio, logprob, advantage, options) => {
  const slope = -Math.min(ratio, options.epsilon_high) * advantage
  return { value: slope * logprob, byWeight: 0, byLogprob: slope }
}

export const sapoSurrogate: Surrogate = (ratio, _logprob, advantage, options) => {
  const tau = advantage > 0 ? options.sapo_temperature_pos : options.sapo_temperature_neg
  const gate = 1 / (1 + Math.exp(-tau * (ratio - 1)))
  return {
    value: (-4 / tau) * gate * advantage,
    byWeight: -4 * gate * (1 - gate) * ratio * advantage,
    byLogprob: 0,
  }
}
