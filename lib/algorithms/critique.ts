/**
 * Critique-GRPO (arXiv 2506.03106): a refinement is a completion that was written with a critique in the
 * prompt and is trained under the plain question, so it is off-policy: tokens that the policy would
 * hardly write must not dominate. Its tokens have, instead of a clipped ratio,
 *
 *   L_t = −A · f(p_t),  f(p) = p / (p + γ),   ∂L_t/∂log p_t = −A · γ p / (p + γ)²
 *
 * whose slope is largest at p = γ and about p/γ below: what the policy finds all but impossible (p of
 * 1e-4) is hardly moved.
 */
import { KogrpoError } from '../errors.ts'
import type { SurrogateTerm } from './surrogates.ts'

/** Which sequences of a batch are refinements, and γ. */
export interface Refinements {
  /** 1 a refinement, 0 not; one a sequence. */
  sequences: Uint8Array
  gamma: number
}

/** The term of one token with log-prob `logprob` under the plain question. */
export function refinementTerm(
  logprob: number,
  advantage: number,
  gamma: number,
): Pick<SurrogateTerm, 'value' | 'byLogprob'> {
  const p = Math.exp(logprob)
  return {
    value: (-advantage * p) / (p + gamma),
    byLogprob: (-advantage * gamma * p) / (p + gamma) ** 2,
  }
}

/** Throws `E_ALGORITHM` unless there is one flag a sequence and γ is positive. */
export function checkRefinements({ sequences, gamma }: Refinements, count: number): void {
  if (sequences.length !== count) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `refinements.sequences has ${sequences.length} entries for ${count} sequences`,
    )
  }
  if (!(gamma > 0 && Number.isFinite(gamma))) {
    throw new KogrpoError('E_ALGORITHM', `gamma is ${gamma}; it must be a positive number`)
  }
}
