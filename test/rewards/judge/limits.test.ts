/** Rates, places and the circuit breaker, in time that passes at once. */
import { describe, expect, it } from 'vitest'
import { Breaker } from '../../../lib/rewards/judge/breaker.ts'
import { retryAfter } from '../../../lib/rewards/judge/endpoint.ts'
import { Places, Rates } from '../../../lib/rewards/judge/limits.ts'
import { FakeClock } from './testing.ts'

/** Times in seconds at which requests of these many tokens are admitted. */
async function admitted(rates: Rates, tokens: readonly number[]): Promise<number[]> {
  const times = await Promise.all(tokens.map(n => rates.admit(n).then(({ at }) => at / 1000)))
  return times
}

describe('rates', () => {
  it('admit no more requests in any minute', async () => {
    const rates = new Rates({ requests_per_minute: 2 }, new FakeClock())
    expect(await admitted(rates, [1, 1, 1, 1, 1])).toEqual([0, 0, 60, 60, 120])
  })

  it('admit no more tokens in any minute, first come, first served', async () => {
    const rates = new Rates({ tokens_per_minute: 100 }, new FakeClock())
    expect(await admitted(rates, [60, 30, 30, 10, 500, 1])).toEqual([0, 0, 60, 60, 120, 180])
  })

  it('count what the endpoint counted', async () => {
    const clock = new FakeClock()
    const rates = new Rates({ tokens_per_minute: 100 }, clock)
    rates.settle(await rates.admit(90), 10)
    expect(await admitted(rates, [90])).toEqual([0])
    const other = new Rates({ tokens_per_minute: 100 }, clock)
    other.settle(await other.admit(10), 90)
    expect(await admitted(other, [90])).toEqual([60])
  })

  it('hold for as long as Retry-After asks, and stop on cancellation', async () => {
    const clock = new FakeClock()
    const rates = new Rates({}, clock)
    rates.hold(7)
    expect(await admitted(rates, [1, 1])).toEqual([7, 7])
    await expect(rates.admit(1, AbortSignal.abort())).rejects.toThrow()
    expect(await admitted(rates, [1])).toEqual([7])
  })
})

describe('Retry-After', () => {
  it('is seconds or a date', () => {
    const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT')
    expect(retryAfter('12', now)).toBe(12)
    expect(retryAfter('0.5', now)).toBe(0.5)
    expect(retryAfter('Wed, 21 Oct 2015 07:28:30 GMT', now)).toBe(30)
    expect(retryAfter('Wed, 21 Oct 2015 07:27:00 GMT', now)).toBe(0)
    expect(retryAfter('soon', now)).toBeNull()
    expect(retryAfter(' ', now)).toBeNull()
    expect(retryAfter(null, now)).toBeNull()
  })
})

describe('places', () => {
  it('hold so many tasks at a time, and go on after one that throws', async () => {
    const places = new Places(2)
    let [open, most, ran] = [0, 0, 0]
    const task = async (): Promise<void> => {
      most = Math.max(most, ++open)
      await new Promise(resolve => setTimeout(resolve, 2))
      open--
      if (++ran === 3) throw new Error('third')
    }
    const all = await Promise.allSettled(Array.from({ length: 7 }, () => places.run(task)))
    expect(most).toBe(2)
    expect(all.map(({ status }) => status).filter(s => s === 'rejected')).toHaveLength(1)
    await expect(places.run(task, AbortSignal.abort())).rejects.toThrow()
    await places.run(task)
  })
})

describe('breaker', () => {
  const setUp = () => {
    const clock = new FakeClock()
    return { clock, breaker: new Breaker({ failures: 3, cooldown_s: 30 }, clock) }
  }

  it('opens after so many failures in a row, and a success starts the count again', () => {
    const { breaker } = setUp()
    for (const outcome of ['a', 'b', null, 'c', 'd']) {
      expect(breaker.refusal()).toBeNull()
      if (outcome === null) breaker.succeeded()
      else breaker.failed(outcome)
    }
    expect(breaker.refusal()).toBeNull()
    breaker.failed('e')
    expect(breaker.refusal()).toBe(
      'not asked: 3 attempts failed in a row, the next is in 30 s; the last: e',
    )
  })

  it('lets one attempt through after the cool-down, which decides', () => {
    const { clock, breaker } = setUp()
    for (let i = 0; i < 3; i++) breaker.failed('down')
    clock.time = 29_999
    expect(breaker.refusal()).toMatch(/in 1 s/)
    clock.time = 30_000
    expect(breaker.refusal()).toBeNull()
    expect(breaker.refusal()).toMatch(/the next is under way/)
    breaker.failed('still down')
    expect(breaker.refusal()).toMatch(/in 30 s; the last: still down/)
    clock.time = 60_000
    expect(breaker.refusal()).toBeNull()
    breaker.cancelled()
    expect(breaker.refusal()).toBeNull()
    breaker.succeeded()
    expect([breaker.refusal(), breaker.refusal()]).toEqual([null, null])
  })
})
