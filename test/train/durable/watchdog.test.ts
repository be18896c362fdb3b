import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Watchdog } from '../../../lib/train/watchdog.ts'

const limits = { rollout: 10, reward: 10, judge: 5, update: 20, save: 10, eval: 0 }
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('trips when a phase shows no progress, names it, and gives up when the run does not end', () => {
  const gaveUp: string[] = []
  const watchdog = new Watchdog(limits, error => gaveUp.push(error.message))
  const generated = (done: number) =>
    watchdog.handle({ type: 'activity', activity: 'generation', done, total: 64 })
  for (let done = 0; done < 5; done++) {
    generated(done)
    vi.advanceTimersByTime(9_000)
  }
  expect(watchdog.signal.aborted).toBe(false)
  // The same count again is no sign of life.
  generated(4)
  vi.advanceTimersByTime(1_001)
  expect(watchdog.signal.aborted).toBe(true)
  expect(watchdog.error).toMatchObject({ code: 'E_WATCHDOG' })
  expect(watchdog.error!.message).toMatch(
    /^nothing was heard for 10 s \(watchdog\.rollout\); the run waits for: generation \(4 of 64\)/,
  )
  expect(gaveUp).toEqual([])
  vi.advanceTimersByTime(10_000)
  expect(gaveUp).toEqual([watchdog.error!.message])
})

it('gives up after as long again also where a timer cannot be so long', () => {
  const gaveUp: string[] = []
  const watchdog = new Watchdog({ ...limits, update: 3e6 }, error => gaveUp.push(error.message))
  vi.advanceTimersByTime(2e9)
  expect(watchdog.error!.message).toMatch(/^nothing was heard for 2000000 s/)
  vi.advanceTimersByTime(1e9)
  expect(gaveUp).toEqual([])
  vi.advanceTimersByTime(1e9)
  expect(gaveUp).toEqual([watchdog.error!.message])
})

it('refinements are sampled, reward functions have a limit of their own', () => {
  for (const [activity, limit] of [
    ['refinement', 'rollout'],
    ['reward', 'reward'],
  ]) {
    const watchdog = new Watchdog({ ...limits, rollout: 11, reward: 12 })
    watchdog.handle({ type: 'activity', activity: activity! })
    vi.advanceTimersByTime(12_000)
    expect(watchdog.error!.message).toContain(`(watchdog.${limit})`)
    watchdog.close()
  }
})

it('has a limit for each phase; 0 is none; closed it is silent', () => {
  const watchdog = new Watchdog(limits)
  watchdog.handle({ type: 'activity', activity: 'evaluation of sft', done: 1, total: 2 })
  vi.advanceTimersByTime(1e7)
  expect(watchdog.error).toBeNull()
  watchdog.handle({ type: 'activity', activity: 'judge', done: 0, total: 8 })
  vi.advanceTimersByTime(4_999)
  watchdog.handle({ type: 'step', stage: 'grpo', step: 3, metrics: {} })
  vi.advanceTimersByTime(19_999)
  expect(watchdog.error).toBeNull()
  watchdog.close()
  vi.advanceTimersByTime(1e7)
  expect(watchdog.error).toBeNull()
})
