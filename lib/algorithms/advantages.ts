/**
 * Group advantages: A_i = R_i − mean of R over the group, for `num_generations` consecutive
 * completions of one prompt (Liu et al. 2025, "Understanding R1-Zero-Like Training", eq. 3: no
 * division by the standard deviation). `scale_rewards` adds TRL's divisions: by the group's or the
 * batch's standard deviation (Bessel) + 1e-4.
 *
 * `normalize_then_sum` (GDPO; TRL's `multi_objective_aggregation`) makes every reward a z-score within
 * its group before the weighted sum, so that a reward of large spread does not drown the others, and
 * the sum a z-score over the batch; `scale_rewards` has no part in it.
 *
 * `baseline: leave_one_out` takes the mean of the group's other members instead (Kool et al. 2019; ESPO,
 * arXiv 2512.03759): r_i − mean of r_j≠i = n/(n − 1) · (r_i − mean), n counting the non-null ones. The
 * baseline of a sample is then independent of it, and the gradient's estimate without bias.
 *
 * A `null` reward is "not applicable". It leaves its sample out of that reward's baseline in that
 * group: reward k contributes w_k · (r_ik − mean of the group's non-null r_·k) to A_i, and a null
 * contributes 0. This equals filling the null with its group's mean, so the code fills and then
 * works on plain totals; without nulls it is the usual advantage. A sample whose rewards are all
 * null gets A = 0 and does not enter a standard deviation.
 *
 * A group is of equal rewards when its totals span at most 1e-8 (with normalize_then_sum: when each of
 * its rewards does); its advantages are then exactly 0, so that rounding in a weighted sum never
 * becomes a gradient.
 */
import { KogrpoError } from '../errors.ts'
import { areEqual, besselStd, equalGroups, presentIn, shiftedMean } from './group-statistics.ts'

type ScaleRewards = 'none' | 'group' | 'batch'
type Baseline = 'mean' | 'leave_one_out'
type MultiObjectiveAggregation = 'sum_then_normalize' | 'normalize_then_sum'

/** TRL's constant added to a standard deviation before dividing by it. */
const STD_EPSILON = 1e-4

export interface GroupAdvantagesInput {
  /** `rewards[k][i]`: reward function k, sample i; groups are runs of `num_generations` samples. */
  rewards: readonly (readonly (number | null)[])[]
  /** One weight a reward function. */
  weights: readonly number[]
  num_generations: number
  scale_rewards: ScaleRewards
  /** Default: mean; leave_one_out is without division by a standard deviation. */
  baseline?: Baseline | undefined
  /** Default: sum_then_normalize. */
  multi_objective_aggregation?: MultiObjectiveAggregation | undefined
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
  /** Of every group: whether its rewards are equal, so that there is nothing to learn from it. */
  zero_std: boolean[]
  /** TRL's `frac_reward_zero_std`: share of groups with equal rewards. */
  frac_reward_zero_std: number
}

/**
 * Advantages of a batch of groups.
 * Throws `E_ALGORITHM` for a group of one, a sample count that is no multiple of the group, rows or
 * weights of wrong length, and non-finite rewards or weights.
 */
export function groupAdvantages(input: GroupAdvantagesInput): GroupAdvantages {
  const samples = checkShapes(input)
  const totals = weightedTotals(input, samples)
  const { advantages, zero_std } =
    input.multi_objective_aggregation === 'normalize_then_sum'
      ? normalizeThenSum(input, totals)
      : sumThenNormalize(input, totals)
  const present = presentIn(totals)
  return {
    advantages,
    totals,
    reward: present.length === 0 ? Number.NaN : shiftedMean(present),
    reward_std: besselStd(present),
    zero_std,
    frac_reward_zero_std: zero_std.filter(Boolean).length / zero_std.length,
  }
}

type Part = Pick<GroupAdvantages, 'advantages' | 'zero_std'>

function weightedTotals(
  { rewards, weights }: GroupAdvantagesInput,
  samples: number,
): (number | null)[] {
  const totals = new Array<number | null>(samples).fill(null)
  rewards.forEach((row, k) => {
    row.forEach((value, i) => {
      if (value !== null) totals[i] = (totals[i] ?? 0) + weights[k]! * value
    })
  })
  return totals
}

function sumThenNormalize(input: GroupAdvantagesInput, totals: readonly (number | null)[]): Part {
  const { rewards, weights, num_generations: group, scale_rewards } = input
  const n = totals.length
  const filled = new Float64Array(n)
  rewards.forEach((row, k) => {
    const batch = presentIn(row)
    const batchMean = batch.length === 0 ? 0 : shiftedMean(batch)
    for (let start = 0; start < n; start += group) {
      const present = presentIn(row, start, start + group)
      const fill = present.length === 0 ? batchMean : shiftedMean(present)
      const others = present.length - 1
      for (let i = start; i < start + group; i++) {
        const value = row[i] ?? fill
        const held =
          input.baseline === 'leave_one_out' && others > 0
            ? fill + ((value - fill) * present.length) / others
            : value
        filled[i]! += weights[k]! * held
      }
    }
  })
  // A sample without any reward takes no part from here on.
  const applicable = totals.map((total, i) => (total === null ? null : filled[i]!))
  const zero_std = equalGroups(applicable, group)
  const batchStd = besselStd(presentIn(applicable))
  const advantages = new Float32Array(n)
  zero_std.forEach((equal, g) => {
    if (equal) return
    const start = g * group
    const members = presentIn(applicable, start, start + group)
    const mean = shiftedMean(members)
    const scale =
      scale_rewards === 'none'
        ? 1
        : (scale_rewards === 'group' ? besselStd(members) : batchStd) + STD_EPSILON
    for (let i = start; i < start + group; i++) {
      const value = applicable[i]!
      if (value !== null) advantages[i] = (value - mean) / scale
    }
  })
  return { advantages, zero_std }
}

function normalizeThenSum(input: GroupAdvantagesInput, totals: readonly (number | null)[]): Part {
  const { rewards, weights, num_generations: group } = input
  const n = totals.length
  const sums = totals.map(total => (total === null ? null : 0))
  const zero_std = new Array<boolean>(n / group).fill(true)
  rewards.forEach((row, k) => {
    if (weights[k] === 0) return
    for (let start = 0; start < n; start += group) {
      const present = presentIn(row, start, start + group)
      if (areEqual(present)) continue
      zero_std[start / group] = false
      const mean = shiftedMean(present)
      const std = besselStd(present) + STD_EPSILON
      for (let i = start; i < start + group; i++) {
        const value = row[i]!
        if (value !== null) sums[i]! += (weights[k]! * (value - mean)) / std
      }
    }
  })
  const present = presentIn(sums)
  const mean = present.length === 0 ? 0 : shiftedMean(present)
  const std = besselStd(present) + STD_EPSILON
  const advantages = Float32Array.from(sums, (sum, i) =>
    sum === null || zero_std[Math.floor(i / group)] ? 0 : (sum - mean) / std,
  )
  return { advantages, zero_std }
}

function checkShapes(input: GroupAdvantagesInput): number {
  const { rewards, weights, num_generations: group } = input
  oneOf('scale_rewards', input.scale_rewards, ['none', 'group', 'batch'])
  oneOf('baseline', input.baseline ?? 'mean', ['mean', 'leave_one_out'])
  const divides =
    input.scale_rewards !== 'none' || input.multi_objective_aggregation === 'normalize_then_sum'
  if (input.baseline === 'leave_one_out' && divides) {
    throw new KogrpoError(
      'E_ALGORITHM',
      'baseline leave_one_out compares a sample with the others; a division by a standard deviation, which holds the sample too, is not for it: use scale_rewards none and sum_then_normalize',
    )
  }
  oneOf('multi_objective_aggregation', input.multi_objective_aggregation ?? 'sum_then_normalize', [
    'sum_then_normalize',
    'normalize_then_sum',
  ])
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

function oneOf(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return
  throw new KogrpoError('E_ALGORITHM', `${name} is '${value}'; it must be ${choices.join(' or ')}`)
}
