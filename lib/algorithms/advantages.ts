/**
 * Group advantages: A_i = R_i − mean of R over the group, for `num_generations` consecutive
 * completions of one prompt (Liu et al. 2025, "Understanding R1-Zero-Like Training", eq. 3: no
 * division by the standard deviation). `scale_rewards` adds TRL's divisions: by the group's or the
 * batch's standard deviation (Bessel) + 1e-4.
 *
 * A `null` reward is "not applicable". It leaves its sample out of that reward's baseline in that
 * group: reward k contributes w_k · (r_ik − mean of the group's non-null r_·k) to A_i, and a null
 * contributes 0. This equals filling the null with its group's mean, so the code fills and then
 * works on plain totals; without nulls it is the usual advantage. A sample whose rewards are all
 * null gets A = 0 and does not enter a standard deviation.
 *
 * A group is of equal rewards when its totals span at most 1e-8; its advantages are then exactly
 * 0, so that rounding in a weighted sum never becomes a gradient.
 */
import { KogrpoError } from '../errors.ts'

export type ScaleRewards = 'none' | 'group' | 'batch'

/** Span of totals (and of single rewards' deviations) below which they count as equal. */
const EQUAL_REWARDS_TOLERANCE = 1e-8
/** TRL's constant added to a standard deviation before dividing by it. */
const STD_EPSILON = 1e-4

export interface GroupAdvantagesInput {
  /** `rewards[k][i]`: reward function k, sample i; groups are runs of `num_generations` samples. */
  rewards: readonly (readonly (number | null)[])[]
  /** One weight a reward function. */
  weights: readonly number[]
  num_generations: number
  scale_rewards: ScaleRewards
}

export interface GroupAdvantages {
  /** One advantage a sample. */
  advantages: Float32Array
  /** Weighted total a sample, over its non-null rewards; null when all of them are null. */
  totals: (number | null)[]
  /** TRL's `reward`: mean of the totals (NaN when there is none). */
  reward: number
  /** TRL's `reward_std`: Bessel standard deviation of the totals over the whole batch. */
  reward_std: number
  /** TRL's `frac_reward_zero_std`: share of groups with equal rewards. */
  frac_reward_zero_std: number
}

/**
 * Advantages of a batch of groups.
 * Throws `E_ALGORITHM` for a group of one, a sample count that is no multiple of the group, rows or
 * weights of wrong length, and non-finite rewards or weights.
 */
export function groupAdvantages(input: GroupAdvantagesInput): GroupAdvantages {
  const { rewards, weights, num_generations: group, scale_rewards } = input
  const n = checkShapes(input)
  const groups = n / group
  const filled = new Float64Array(n)
  const totals: (number | null)[] = new Array<number | null>(n).fill(null)

  for (let k = 0; k < rewards.length; k++) {
    const row = rewards[k]!
    const weight = weights[k]!
    const batchMean = meanOfPresent(row, 0, n) ?? 0
    for (let g = 0; g < groups; g++) {
      const start = g * group
      const fill = meanOfPresent(row, start, start + group) ?? batchMean
      for (let i = start; i < start + group; i++) {
        const value = row[i]!
        filled[i]! += weight * (value ?? fill)
        if (value !== null) totals[i] = (totals[i] ?? 0) + weight * value
      }
    }
  }

  const applicable = totals.map(total => total !== null)
  const present = totals.filter(total => total !== null)
  const batchStd = besselStd(Array.from(filled).filter((_, i) => applicable[i]))
  const advantages = new Float32Array(n)
  let equalGroups = 0
  for (let g = 0; g < groups; g++) {
    const start = g * group
    const members: number[] = []
    for (let i = start; i < start + group; i++) if (applicable[i]) members.push(filled[i]!)
    if (span(members) <= EQUAL_REWARDS_TOLERANCE) {
      equalGroups++
      continue
    }
    const mean = shiftedMean(members)
    const scale =
      scale_rewards === 'none'
        ? 1
        : (scale_rewards === 'group' ? besselStd(members) : batchStd) + STD_EPSILON
    for (let i = start; i < start + group; i++) {
      if (applicable[i]) advantages[i] = (filled[i]! - mean) / scale
    }
  }
  return {
    advantages,
    totals,
    reward: present.length === 0 ? Number.NaN : shiftedMean(present),
    reward_std: besselStd(present),
    frac_reward_zero_std: equalGroups / groups,
  }
}

function checkShapes(input: GroupAdvantagesInput): number {
  const { rewards, weights, num_generations: group, scale_rewards } = input
  if (!['none', 'group', 'batch'].includes(scale_rewards)) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `scale_rewards is '${scale_rewards}'; it must be none, group or batch`,
    )
  }
  if (!Number.isInteger(group) || group < 2) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `num_generations is ${group}: an advantage compares completions of one prompt, so at least 2 are needed`,
    )
  }
  if (rewards.length === 0) {
    throw new KogrpoError('E_ALGORITHM', 'there is no reward function; name at least one')
  }
  if (weights.length !== rewards.length) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `${weights.length} weights for ${rewards.length} reward functions; give one weight each`,
    )
  }
  const n = rewards[0]!.length
  if (n === 0 || n % group !== 0) {
    throw new KogrpoError(
      'E_ALGORITHM',
      `${n} samples do not form groups of num_generations = ${group}`,
    )
  }
  for (let k = 0; k < rewards.length; k++) {
    if (!Number.isFinite(weights[k])) {
      throw new KogrpoError('E_ALGORITHM', `weights[${k}] is ${weights[k]}; it must be finite`)
    }
    const row = rewards[k]!
    if (row.length !== n) {
      throw new KogrpoError(
        'E_ALGORITHM',
        `rewards[${k}] has ${row.length} values, rewards[0] has ${n}; every function rates every sample`,
      )
    }
    for (let i = 0; i < n; i++) {
      const value = row[i]
      if (value !== null && !Number.isFinite(value)) {
        throw new KogrpoError(
          'E_ALGORITHM',
          `rewards[${k}][${i}] is ${value}; a reward is finite, or null for "not applicable"`,
        )
      }
    }
  }
  return n
}

function meanOfPresent(
  row: readonly (number | null)[],
  start: number,
  end: number,
): number | undefined {
  const present: number[] = []
  for (let i = start; i < end; i++) {
    const value = row[i]
    if (value !== null && value !== undefined) present.push(value)
  }
  return present.length === 0 ? undefined : shiftedMean(present)
}

/** Mean about the first value: exact when all values are equal, which a plain sum is not. */
function shiftedMean(values: readonly number[]): number {
  const first = values[0]!
  let sum = 0
  for (const value of values) sum += value - first
  return first + sum / values.length
}

function span(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.max(...values) - Math.min(...values)
}

function besselStd(values: readonly number[]): number {
  if (values.length < 2) return 0
  const mean = shiftedMean(values)
  let sum = 0
  for (const value of values) sum += (value - mean) ** 2
  return Math.sqrt(sum / (values.length - 1))
}
