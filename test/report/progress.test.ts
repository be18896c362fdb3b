import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { EvalResults, RunEvent } from '../../lib/report/events.ts'
import { duration, type Output, Progress } from '../../lib/report/progress.ts'
import { displayWidth } from '../../lib/report/width.ts'

/** A stream that remembers what was written, and when (fake milliseconds). */
class Recorder implements Output {
  readonly writes: { at: number; text: string }[] = []
  isTTY: boolean
  columns: number

  constructor(isTTY: boolean, columns = 120) {
    this.isTTY = isTTY
    this.columns = columns
  }

  write(text: string): void {
    this.writes.push({ at: Date.now(), text })
  }

  /** What stands on the screen: lines, the unfinished one last. */
  screen(): string[] {
    const all = this.writes.map(w => w.text).join('')
    return all.split('\n').map(line => line.split('\r\u001b[2K').at(-1)!)
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
})
afterEach(() => {
  vi.useRealTimers()
})

const open = (
  output: Output,
  options: { heartbeatSeconds?: number; plainEverySteps?: number; term?: string } = {},
) => new Progress({ output, now: () => Date.now(), ...options })

const step = (n: number): RunEvent => ({
  type: 'step',
  stage: 'grpo',
  step: n,
  metrics: {
    loss: 0,
    reward: 0.5 + n / 100,
    'rewards/accuracy/mean': 0.25,
    'rewards/korean/mean': 0.975,
    'perf/throughput': 12_345,
  },
})

const results: EvalResults = {
  accuracy: 0.5,
  accuracy_ci95: [0.46, 0.54],
  korean_thinking_rate: 0.985,
  format_rate: 1,
  mean_length: 87.25,
  n: 500,
}

describe('without a terminal', () => {
  test('a dumb one, which cannot redraw a line, is none', () => {
    const out = new Recorder(true)
    const progress = open(out, { term: 'dumb' })
    progress.handle({ type: 'stage_start', stage: 'grpo', max_steps: 2 })
    progress.handle(step(1))
    progress.close()
    const text = out.writes.map(write => write.text).join('')
    expect(text).toMatch(/^\[ +0s\] grpo: 2 steps\..*\n\[ +0s\] grpo 1\/2 · reward 0\.510/)
    expect(text).not.toContain('\u001b')
  })

  test('a plain line a step, with time left from the speed of the last steps', () => {
    const out = new Recorder(false)
    const progress = open(out)
    progress.handle({ type: 'stage_start', stage: 'grpo', max_steps: 4 })
    vi.advanceTimersByTime(2000)
    progress.handle(step(1))
    vi.advanceTimersByTime(3000)
    progress.handle(step(2))
    progress.handle({ type: 'eval', stage: 'rl', results })
    progress.handle({ type: 'note', level: 'warning', message: 'odd\u001b[0m' })
    progress.handle({ type: 'stage_end', stage: 'grpo', checkpoint: 'runs/x/rl' })
    progress.close()
    expect(out.screen()).toEqual([
      '[    0s] grpo: 4 steps. Watch the reward, not the loss: on-policy the loss is about 0 by construction',
      '[    2s] grpo 1/4 · reward 0.510 · accuracy 25% · Korean 98% · 12k tok/s · 6s left',
      '[    5s] grpo 2/4 · reward 0.520 · accuracy 25% · Korean 98% · 12k tok/s · 5s left',
      '[    5s] RL: accuracy 50.0 % (95 %: 46.0 … 54.0 %), Korean thinking 98.5 %, format 100.0 %, mean length 87.3 tokens, n = 500',
      '[    5s] warning: odd␛[0m',
      '[    5s] grpo: 2 steps in 5s, written to runs/x/rl',
      '',
    ])
  })

  test('a line at least every heartbeat, saying what is waited for, though nothing happens', () => {
    const out = new Recorder(false)
    const progress = open(out, { heartbeatSeconds: 10 })
    vi.advanceTimersByTime(15_000)
    progress.handle({ type: 'stage_start', stage: 'grpo', max_steps: 9 })
    progress.handle(step(1))
    progress.handle({ type: 'activity', activity: 'generation', done: 0, total: 64 })
    vi.advanceTimersByTime(12_000)
    progress.handle({ type: 'activity', activity: 'generation', done: 12, total: 64 })
    vi.advanceTimersByTime(120_000)
    progress.close()
    const times = [0, ...out.writes.map(w => w.at), 147_000]
    const gaps = times.slice(1).map((t, i) => t - times[i]!)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(10_000)
    expect(out.writes.length).toBeLessThan(20)
    expect(out.screen()[0]).toBe('[    9s] waiting for the engine (9s)')
    expect(out.screen()).toContain(
      '[   24s] grpo 1/9 · reward 0.510 · accuracy 25% · Korean 98% · 12k tok/s · 0s left · waiting for generation 0/64 (9s)',
    )
    expect(out.screen().at(-2)).toContain('waiting for generation 12/64 (2m')
  })

  test('lines push the heartbeat back, and after close nothing is written', () => {
    const out = new Recorder(false)
    const progress = open(out, { heartbeatSeconds: 10 })
    for (let second = 1; second <= 30; second++) {
      vi.advanceTimersByTime(1000)
      progress.handle({ type: 'note', level: 'info', message: String(second) })
    }
    expect(out.writes).toHaveLength(30)
    progress.close()
    vi.advanceTimersByTime(60_000)
    expect(out.writes).toHaveLength(30)
  })

  test('every n-th step, the first and the last', () => {
    const out = new Recorder(false)
    const progress = open(out, { plainEverySteps: 4 })
    progress.handle({ type: 'stage_start', stage: 'grpo', max_steps: 10 })
    for (let n = 1; n <= 10; n++) progress.handle(step(n))
    progress.close()
    const shown = out.screen().flatMap(line => line.match(/grpo (\d+)\//)?.[1] ?? [])
    expect(shown).toEqual(['1', '4', '8', '10'])
  })

  test('supervised steps show loss and token accuracy; values that are not finite are left out', () => {
    const out = new Recorder(false)
    const progress = open(out)
    progress.handle({ type: 'stage_start', stage: 'sft', max_steps: 2 })
    const metrics = { loss: 1.2345, mean_token_accuracy: 0.876, 'perf/throughput': Number.NaN }
    progress.handle({ type: 'step', stage: 'sft', step: 2, metrics })
    progress.close()
    expect(out.screen()[1]).toBe('[    0s] sft 2/2 · loss 1.234 · token accuracy 88%')
  })
})

describe('on a terminal', () => {
  test('one live line, at most ten redraws a second', () => {
    const out = new Recorder(true)
    const progress = open(out)
    progress.handle({ type: 'stage_start', stage: 'grpo', max_steps: 5000 })
    for (let n = 1; n <= 2000; n++) {
      vi.advanceTimersByTime(1)
      progress.handle(step(n))
    }
    vi.advanceTimersByTime(100)
    const draws = out.writes.filter(w => w.text.startsWith('\r'))
    expect(draws.length).toBeLessThanOrEqual(22)
    expect(draws.length).toBeGreaterThanOrEqual(20)
    expect(draws.every(w => !w.text.includes('\n'))).toBe(true)
    expect(out.screen()).toHaveLength(2)
    expect(out.screen().at(-1)).toContain('grpo 2000/5000 · reward 20.500')
    progress.close()
  })

  test('notes stand above the live line; closing clears it', () => {
    const out = new Recorder(true)
    const progress = open(out)
    progress.handle({ type: 'stage_start', stage: 'grpo', max_steps: 2 })
    vi.advanceTimersByTime(500)
    progress.handle(step(1))
    progress.handle({ type: 'activity', activity: 'generation', done: 3, total: 8 })
    progress.handle({ type: 'note', level: 'info', message: '저장했다' })
    vi.advanceTimersByTime(1000)
    expect(out.screen().slice(1)).toEqual([
      '저장했다',
      'grpo 1/2 · reward 0.510 · accuracy 25% · Korean 98% · 12k tok/s · 1s left · generation 3/8',
    ])
    progress.close()
    expect(out.screen().at(-1)).toBe('')
    const { length } = out.writes
    vi.advanceTimersByTime(10_000)
    expect(out.writes).toHaveLength(length)
  })

  test('the line never reaches the last column, wide characters counted', () => {
    const out = new Recorder(true, 30)
    const progress = open(out)
    progress.handle({
      type: 'activity',
      activity: '아주 긴 한국어 이름의 작업을 한다 그리고 또',
      done: 1,
    })
    const line = out.screen().at(-1)!
    expect(line.endsWith('…')).toBe(true)
    expect(displayWidth(line)).toBeLessThan(30)
    progress.close()
  })

  test('a terminal that does not know its size gets 80 columns', () => {
    const out = new Recorder(true, 0)
    const progress = open(out)
    progress.handle({ type: 'activity', activity: 'x'.repeat(200) })
    expect(displayWidth(out.screen().at(-1)!)).toBe(79)
    progress.close()
  })

  test('the end shows problems, table and time on the results stream', () => {
    const out = new Recorder(true)
    const table = new Recorder(false, 80)
    const progress = new Progress({ output: out, results: table, now: () => Date.now() })
    progress.handle({
      type: 'run_end',
      summary: { sft: results, paired_differences: {}, wall_s: 65, seed: 1 },
      showcase: [{ prompt: '문제', completions: [{ stage: 'sft', text: '답', correct: true }] }],
    })
    progress.close()
    expect(table.screen()).toEqual([
      '',
      'A held-out problem',
      '    문제',
      '',
      '  SFT (correct)',
      '    답',
      '',
      '     accuracy  95 % interval  Korean thinking   format  mean length    n',
      'SFT    50.0 %  46.0 … 54.0 %           98.5 %  100.0 %         87.3  500',
      '',
    ])
    expect(out.screen()).toEqual(['finished in 1m05s', ''])
  })
})

test.each([
  [0, '0s'],
  [59.4, '59s'],
  [59.6, '1m00s'],
  [3599, '59m59s'],
  [3600, '1h00m'],
  [7620, '2h07m'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text)
})
