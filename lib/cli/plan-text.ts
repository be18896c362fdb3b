/** A plan as text. */
import type { StagePlan } from '../plan/plan.ts'
import { table } from '../report/width.ts'

/** Bytes as people read them. */
export function size(bytes: number): string {
  const gib = bytes / 2 ** 30
  return gib < 0.1 ? `${(1024 * gib).toFixed(1)} MiB` : `${gib.toFixed(1)} GiB`
}

function seconds(value: number): string {
  return Number.isFinite(value) ? `${value.toPrecision(3)} s` : 'never'
}

/** The mean lengths that the time is planned with. */
function lengths({ rollout, sample, scored }: StagePlan['load']): string {
  const tokens = (count: number): string => `${Math.round(count)} tokens`
  if (rollout === null) return `${tokens(sample)}, ${Math.round(sample * scored)} trained`
  return `prompt ${tokens(rollout.meanPrompt)}, completion ${tokens(rollout.meanCompletion)}`
}

/** A stage's plan, a line an item. */
export function planLines(plan: StagePlan, capacity: number): string[] {
  const { stage, settings, memory, phases, communication } = plan
  const step = phases.reduce((sum, phase) => sum + phase.seconds, 0)
  const rows = [
    ...memory.items
      .filter(({ bytes }) => bytes > 0)
      .map(({ name, bytes }) => [`  ${name}`, size(bytes)]),
    ['  in all, in training', `${size(memory.total)} of ${size(capacity)}`],
    ...(plan.cacheTokens === null
      ? []
      : [
          [
            '  left for keys and values in sampling',
            `${size(memory.cache)}, ${plan.cacheTokens} tokens`,
          ],
        ]),
    ...communication.parts.map(({ name, bytes }) => [`  ${name}`, `${size(bytes)} a step`]),
    ['  a sample, on the average', lengths(plan.load)],
    ...phases.map(phase => [`  ${phase.name}`, seconds(phase.seconds)]),
    plan.tokensPerSecond === null
      ? ['  a step', `${Math.round(plan.tokens)} tokens; the time was not measured`]
      : [
          '  a step',
          `${seconds(step)}, ${Math.round(plan.tokens)} tokens, ${Math.round(plan.tokensPerSecond)} tokens/s`,
        ],
  ]
  const { shard, recompute, batch } = settings
  const peak = plan.mfu === null ? '' : `; training at ${(100 * plan.mfu).toFixed(0)} % of the peak`
  return [
    `${stage}: shard ${shard}, recompute ${recompute}, micro-batch of ${batch}${peak}`,
    ...table(rows, ['left', 'left']),
  ]
}

/** What is missing, and the nearest settings with which nothing is. */
export function advice(asked: StagePlan, nearest: StagePlan, capacity: number): string {
  const largest = [...asked.memory.items].sort((a, b) => b.bytes - a.bytes).slice(0, 3)
  const named = largest.map(({ name, bytes }) => `${name} ${size(bytes)}`).join(', ')
  const missing =
    asked.memory.total > capacity
      ? `needs ${size(asked.memory.total)} of ${size(capacity)} (largest: ${named})`
      : 'leaves no room for the keys and values of one completion'
  const { shard, recompute, batch } = nearest.settings
  const remedy = nearest.fits
    ? `the nearest that fits: shard ${shard}, recompute ${recompute}, per_device_train_batch_size ${batch}`
    : 'no setting makes it fit: take more or larger devices, shorter sequences or a smaller model'
  return `${asked.stage} ${missing}; ${remedy}`
}
