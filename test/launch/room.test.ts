import { describe, expect, it } from 'vitest'
import { encodeFrame, FrameReader } from '../../lib/launch/frames.ts'
import { Room } from '../../lib/launch/room.ts'

/** A room with a clock of its own; ranks 0 … present − 1 have said hello, with 10 s of patience. */
function room(size: number, present = size) {
  let now = 0
  const r = new Room(size, () => now)
  for (let rank = 0; rank < present; rank++) r.alive(rank, 10_000)
  const answers: string[] = []
  const meet = (rank: number, label: string): void =>
    r.meet(rank, label, 60_000, parts => answers.push(`${rank}: ${parts.join(' ')}`))
  const explain = (rank: number, label: string): void =>
    r.explain(rank, label, 'reset\nby peer', parts => answers.push(`${rank}: ${parts[1]}`))
  const pass = (ms: number, ...alive: number[]): void => {
    now += ms
    for (const rank of alive) r.alive(rank)
    r.check()
  }
  return { r, answers, meet, explain, pass }
}

describe('meetings', () => {
  it('wait for slow ranks that live, and end when all have come', () => {
    const { answers, meet, pass } = room(3)
    meet(0, 'step 1')
    meet(2, 'step 1')
    for (let i = 0; i < 5; i++) pass(9000, 0, 1, 2)
    expect(answers).toEqual([])
    meet(1, 'step 1')
    expect(answers).toEqual(['0: ok', '2: ok', '1: ok'])
  })

  it('name a dead rank at once, with where it was last', () => {
    const { r, answers, meet } = room(2)
    meet(0, 'gradients, step 3')
    meet(1, 'gradients, step 3')
    meet(0, 'update, step 3')
    r.closed(1)
    expect(answers[2]).toBe(
      '0: error rank 1 is dead: its connection has closed (last seen in "gradients, step 3")',
    )
  })

  it('name a silent rank after its patience, and nobody else', () => {
    const { answers, meet, pass } = room(3)
    meet(0, 'step 1')
    meet(1, 'step 1')
    pass(9000, 0, 1)
    expect(answers).toEqual([])
    pass(1500, 0, 1)
    const why = 'error rank 2 is silent for 11 s: frozen, or cut off (before any collective)'
    expect(answers).toEqual([`0: ${why}`, `1: ${why}`])
  })

  it('name a rank that never came, one that is somewhere else, and one that is too slow', () => {
    const absent = room(2, 1)
    absent.meet(0, 'start')
    absent.pass(60_000, 0)
    expect(absent.answers[0]).toMatch(/^0: error rank 1 never came/)

    const apart = room(2)
    apart.meet(0, 'step 1')
    apart.meet(1, 'step 2')
    expect(apart.answers[0]).toBe(
      '0: error the ranks do different things: rank 0 at "step 1", rank 1 at "step 2"',
    )

    const slow = room(2)
    slow.meet(0, 'step 1')
    for (let i = 0; i < 8; i++) slow.pass(8000, 0, 1)
    expect(slow.answers[0]).toMatch(/rank 1 is alive but has not come/)
  })
})

describe('counts', () => {
  it('give every number once, by key, whoever asks', () => {
    const { r } = room(3)
    expect([r.count('groups, 1'), r.count('groups, 1'), r.count('groups, 2')]).toEqual([0, 1, 0])
    expect(r.count('groups, 1')).toBe(2)
  })
})

describe('explanations', () => {
  it('name the one that died, and not those whose transfers failed for it', () => {
    const { r, answers, explain } = room(3)
    explain(0, 'step 1')
    r.closed(0)
    explain(1, 'step 1')
    expect(answers).toEqual([])
    r.closed(2)
    const why = 'rank 2 is dead: its connection has closed (before any collective) (reset)'
    expect(answers).toEqual([`0: ${why}`, `1: ${why}`])
  })

  it('wait until a frozen rank shows; without one they say so', () => {
    const frozen = room(2)
    frozen.explain(0, 'step 1')
    frozen.pass(10_500, 0)
    expect(frozen.answers[0]).toMatch(/^0: rank 1 is silent for 11 s/)

    const fine = room(2)
    fine.explain(0, 'step 1')
    fine.pass(9000, 0, 1)
    fine.pass(9000, 0, 1)
    expect(fine.answers[0]).toMatch(/^0: all ranks are alive/)
  })

  it('a rank that gave up ends the meetings of the others', () => {
    const { answers, meet, explain, pass } = room(2)
    explain(0, 'step 1')
    pass(9000, 0, 1)
    pass(9000, 0, 1)
    meet(1, 'step 2')
    expect(answers[1]).toMatch(/^1: error rank 0 has given up \(last seen in "step 1"\)/)
  })
})

it('keeps so much and no more; what was refused takes no room', () => {
  const { r } = room(1)
  const quarter = Buffer.alloc(1 << 26)
  for (const key of ['a', 'b', 'c']) r.set(key, quarter)
  expect(() => r.set('d', quarter)).toThrow('the store is full')
  expect(() => r.set('d', quarter)).toThrow('the store is full')
  r.set('d', Buffer.from('small'))
  expect(r.count('e')).toBe(0)
  // One in the place of another of its length takes none.
  r.set('a', quarter)
  const got: unknown[] = []
  r.get('d', 0, value => got.push(String(value)))
  expect(got).toEqual(['small'])
})

it('frames survive any cut of the stream', () => {
  const bytes = Buffer.concat([encodeFrame(['meet', '단계 1', '']), encodeFrame(['alive'])])
  for (let cut = 0; cut <= bytes.length; cut++) {
    const reader = new FrameReader()
    const messages = [
      ...reader.push(bytes.subarray(0, cut)),
      ...reader.push(bytes.subarray(cut)),
    ].map(parts => parts.map(String))
    expect(messages).toEqual([['meet', '단계 1', ''], ['alive']])
  }
})
