/**
 * Learning rate by step. Every shape starts with a linear warm-up from 0; the last step of the
 * decaying shapes has the last value of the curve.
 */
export interface ScheduleOptions {
  learning_rate: number
  lr_scheduler_type: 'constant' | 'linear' | 'cosine' | 'cosine_with_min_lr'
  min_lr_ratio: number
  warmup_ratio: number
  warmup_steps?: number | undefined
}

/** Learning rate of `step` (1 … `steps`). */
export function learningRate(step: number, steps: number, options: ScheduleOptions): number {
  const peak = options.learning_rate
  const warmup = options.warmup_steps ?? Math.ceil(options.warmup_ratio * steps)
  if (step <= warmup) return (peak * step) / Math.max(1, warmup)
  const progress = (step - warmup) / Math.max(1, steps - warmup)
  switch (options.lr_scheduler_type) {
    case 'constant':
      return peak
    case 'linear':
      return peak * (1 - progress)
    case 'cosine':
      return (peak * (1 + Math.cos(Math.PI * progress))) / 2
    case 'cosine_with_min_lr': {
      const floor = options.min_lr_ratio
      return peak * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * progress))) / 2)
    }
  }
}
