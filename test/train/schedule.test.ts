import { describe, expect, it } from 'vitest'
import { learningRate } from '../../lib/train/schedule.ts'

const base = {
  learning_rate: 2,
  lr_scheduler_type: 'constant' as const,
  min_lr_ratio: 0.1,
  warmup_ratio: 0.1,
}

describe('learning rate', () => {
  it('rises linearly, then stays', () => {
    const rates = [1, 5, 10, 11, 100].map(step => learningRate(step, 100, base))
    expect(rates).toEqual([0.2, 1, 2, 2, 2])
  })

  it('counts warmup_steps before warmup_ratio', () => {
    expect(learningRate(1, 100, { ...base, warmup_steps: 4 })).toBe(0.5)
    expect(learningRate(1, 100, { ...base, warmup_steps: 0 })).toBe(2)
  })

  it('falls to 0, or to its minimum, at the last step', () => {
    const at = (lr_scheduler_type: 'linear' | 'cosine' | 'cosine_with_min_lr', step: number) =>
      learningRate(step, 110, { ...base, lr_scheduler_type, warmup_steps: 10 })
    expect(at('linear', 60)).toBeCloseTo(1, 12)
    expect(at('linear', 110)).toBe(0)
    expect(at('cosine', 60)).toBeCloseTo(1, 12)
    expect(at('cosine', 110)).toBeCloseTo(0, 12)
    expect(at('cosine_with_min_lr', 60)).toBeCloseTo(1.1, 12)
    expect(at('cosine_with_min_lr', 110)).toBeCloseTo(0.2, 12)
  })
})
