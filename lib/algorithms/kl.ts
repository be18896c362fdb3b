/**
 * Per-token estimators of KL(policy ‖ reference) from one sample (Schulman 2020, "Approximating KL
 * divergence"), as functions of d = l_ref − l, l being the policy's log-prob. `k3` is TRL's and the
 * default. Each returns the value and its derivative with respect to l.
 */

export type KlEstimator = 'k1' | 'k2' | 'k3'

interface ValueAndSlope {
  value: number
  /** Derivative with respect to the policy's log-prob. */
  slope: number
}

export const klEstimators: Record<KlEstimator, (d: number) => ValueAndSlope> = {
  k1: d => ({ value: -d, slope: 1 }),
  k2: d => ({ value: (d * d) / 2, slope: -d }),
  k3: d => ({ value: Math.exp(d) - d - 1, slope: 1 - Math.exp(d) }),
}
