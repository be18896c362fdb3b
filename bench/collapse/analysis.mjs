/**
 * What the curves of one arm say. Pure functions; shares are 0 … 1, steps are optimizer steps.
 *
 *   peak      greatest mean of three evaluations in a row (one alone would pick the luckiest)
 *   end       the last evaluation; `end_smoothed` the mean of the last three
 *   plateau   mean of the checker's reward over the last 50 steps, over its greatest such mean
 *   third_lost_step   the first evaluation below two thirds of the best mean of three evaluations
 *                     before it: the first loss counts, also where a later peak is higher
 */

const SMOOTHED = 3
const PLATEAU_STEPS = 50

const mean = values => values.reduce((sum, x) => sum + x, 0) / values.length

/** Means of `width` neighbours; empty when there are fewer values. */
export function movingMeans(values, width) {
  return values.slice(width - 1).map((_, i) => mean(values.slice(i, i + width)))
}

/** Peak, end and their ratio of a curve `[[step, accuracy], …]` of at least three points. */
export function peakAndEnd(curve) {
  const accuracies = curve.map(([, accuracy]) => accuracy)
  const means = movingMeans(accuracies, SMOOTHED)
  const peak = Math.max(...means)
  // The middle of the three evaluations is where the peak stands.
  const middle = means.indexOf(peak) + (SMOOTHED - 1) / 2
  const end = accuracies.at(-1)
  const lost = curve.find(
    ([, accuracy], i) =>
      i >= SMOOTHED && accuracy < (2 / 3) * Math.max(...means.slice(0, i - SMOOTHED + 1)),
  )
  return {
    peak,
    peak_step: curve[middle][0],
    end,
    end_smoothed: means.at(-1),
    ratio: end / peak,
    ratio_smoothed: means.at(-1) / peak,
    third_lost_step: lost?.[0] ?? null,
  }
}

/** How the checker's reward ends, against the best it was for as long a time. */
export function plateau(rewards) {
  const means = movingMeans(rewards, Math.min(PLATEAU_STEPS, rewards.length))
  return { first: mean(rewards.slice(0, 10)), best: Math.max(...means), last: means.at(-1) }
}

/** The first trip of a guard, and the accuracies at the evaluations around it. */
export function firstTrip(records, curve) {
  const record = records[0]
  if (record === undefined) return null
  const before = curve.findLast(([step]) => step <= record.step)
  const after = curve.find(([step]) => step > record.step)
  return {
    step: record.step,
    watches: record.trips.map(({ watch }) => watch),
    accuracy_before: before[1],
    accuracy_after: after?.[1] ?? null,
    message: record.message,
  }
}

/** Whether five seeds show what the experiment is meant to show; each line with its count. */
export function verdict(seeds) {
  const count = holds => seeds.filter(holds).length
  const lines = [
    [
      'checker alone: true accuracy ends under half of its peak',
      ({ checker }) => checker.ratio < 0.5,
      4 / 5,
    ],
    [
      "checker alone: the checker's reward ends at 90 % of its best or more",
      ({ checker }) => checker.plateau.last >= 0.9 * checker.plateau.best,
      4 / 5,
    ],
    [
      'checker alone: a guard trips before a third is lost',
      ({ checker }) =>
        checker.guard !== null &&
        (checker.third_lost_step === null || checker.guard.step < checker.third_lost_step),
      1,
    ],
    ['with the oracle: ends at 90 % of its peak or more', ({ oracle }) => oracle.ratio >= 0.9, 1],
    ['aim: with the oracle it ends at 95 % or more', ({ oracle }) => oracle.ratio >= 0.95, 1],
    [
      'with the oracle: above SFT, the paired 95 % interval above 0',
      ({ oracle }) => oracle.minus_sft.ci95[0] > 0,
      1,
    ],
    ['with the oracle: no guard trips', ({ oracle }) => oracle.guard === null, 1],
  ]
  return lines.map(([claim, holds, share]) => {
    const seen = count(holds)
    return { claim, seeds: seen, of: seeds.length, met: seen >= share * seeds.length }
  })
}
