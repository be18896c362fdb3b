/**
 * The neighbouring papers' options in whole runs of a tiny model. What is "right" here is a pattern that
 * a part of its completions has, so that groups differ.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { agreesWithThinking, answerSpan, answerTokens } from '../../lib/train/consistency.ts'
import { spreadEvenly } from '../../lib/train/probe.ts'
import { critiqueText } from '../../lib/train/refine.ts'
import { type GrpoInput, grpoRun } from './grpo-runs.ts'
import { tinyModelDirectory } from './tiny.ts'

/** A file of prompts whose answer is `pattern`. */
function prompts(pattern: string, rates?: number[]): string {
  const file = join(mkdtempSync(join(tmpdir(), 'kogrpo-test-')), 'prompts.jsonl')
  const rows = Array.from({ length: 12 }, (_, i) => ({
    prompt: `사과 ${i}개와 배 ${i + 2}개를 더하면 모두 몇 개인가?`,
    answer: pattern,
    solution: `${i}에 ${i + 2}을 더한다.`,
    ...(rates ? { pass_rate: rates[i % rates.length] } : {}),
  }))
  writeFileSync(file, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  return file
}

const options = { kind: 'regex' as const, reasoning_delimiters: ['없는 표시'] }
const accuracy: GrpoInput['rewards'] = [{ name: 'accuracy', weight: 1, options }]

const base = (pattern: string): GrpoInput => ({
  data: [{ path: prompts(pattern) }],
  rewards: accuracy,
  readiness: { action: 'off' },
})

const SLOW = { sync_ref_model: true, ref_model_sync_steps: 1, ref_model_mixup_alpha: 0.05 }

describe('critique', () => {
  it('puts one refinement into each failed group, trained off-policy, and resumes to the bit', async () => {
    const pattern = '[0-4]'
    const critique = { type: 'text' as const, num_candidates: 2, only_failed_groups: false }
    const changes = { ...base(pattern), critique }
    const straight = await grpoRun(changes)
    const rows = straight.events.flatMap(event => (event.type === 'completions' ? event.rows : []))
    const refined = straight.steps.map(step => step['critique/refined_groups']!)
    expect(refined.reduce((sum, x) => sum + x, 0)).toBeGreaterThan(0)
    expect(rows.filter(row => row.refined)).toHaveLength(refined.reduce((sum, x) => sum + x, 0))
    for (const step of straight.steps) {
      expect(step['sampling/sampling_logp_difference/max']).toBe(0)
      const rate = step['critique/valid_refinement_rate']
      if (rate !== null)
        expect(rate! * 2 * step['critique/refined_groups']!).toBeCloseTo(
          Math.round(rate! * 2 * step['critique/refined_groups']!),
          9,
        )
    }
    const plain = await grpoRun(base(pattern))
    expect(plain.weights.equals(straight.weights)).toBe(false)
    const resumed = await grpoRun(changes, [1, 3])
    expect(resumed.weights.equals(straight.weights)).toBe(true)
    expect(resumed.steps).toEqual(straight.steps)
  })

  it('says what it is asked to say, and names the column that is missing', () => {
    const prompt = {
      promptIds: new Int32Array(),
      messages: [],
      extra: { answer: '7', solution: '셋에 넷을 더한다.' },
      file: 'f.jsonl',
      line: 3,
    }
    const text = (type: 'simple' | 'simple_gt' | 'text', extra = prompt.extra as object): string =>
      critiqueText(
        { ...prompt, extra: { ...extra } },
        {
          type,
          num_refinements: 1,
          num_candidates: 2,
          gamma: 0.1,
          only_failed_groups: true,
          solution_column: 'solution',
        },
      )
    expect(text('simple')).not.toContain('7')
    expect(text('simple_gt')).toContain('정답은 7입니다')
    expect(text('text')).toContain('셋에 넷을 더한다.')
    expect(() => text('text', { answer: '7' })).toThrow('f.jsonl:3: critique.type text needs')
  })
})

describe('consistency_bonus', () => {
  it('adds a reward and its measures, and moves the weights', async () => {
    const plain = await grpoRun(base('[0-4]'))
    const { steps, weights } = await grpoRun({ ...base('[0-4]'), ...SLOW, consistency_bonus: {} })
    for (const step of steps) {
      expect(step['consistency/confidence']).toBeGreaterThanOrEqual(0)
      expect(step['consistency/confidence']).toBeLessThanOrEqual(0.95)
      expect(step).toHaveProperty('consistency/agreement')
      // What has no </think> has no answer, so no confidence and no bonus: the reward is the accuracy.
      if (step['consistency/confidence'] === 0) {
        expect(step['consistency/bonus_rate']).toBeGreaterThanOrEqual(0)
      }
      expect(step.reward).toBeCloseTo(
        step['rewards/accuracy/mean']! + step['rewards/consistency/mean']!,
        9,
      )
    }
    expect(plain.steps[0]!['rewards/accuracy/mean']).toBe(steps[0]!['rewards/accuracy/mean'])
    expect(weights.length).toBe(plain.weights.length)
  })

  it('finds the answer: after the thinking, or the last box in it; a missing one is none', () => {
    const text = '<think>\n\\boxed{9}\n</think>\n\n답은 \\boxed{1{2}}이다. '
    const cut = (where: 'after_think' | 'boxed', of = text): string | null => {
      const span = answerSpan(of, where)
      return span && of.slice(span.begin, span.end)
    }
    expect(cut('after_think')).toBe('답은 \\boxed{1{2}}이다.')
    expect(cut('boxed')).toBe('1{2}')
    expect(cut('boxed', '<think>\\boxed{9}</think>9')).toBeNull()
    expect(cut('after_think', '<think>아직')).toBeNull()
    expect(cut('after_think', '<think>셋</think>\n ')).toBeNull()
  })

  it("maps the answer to its tokens, the stop token's left out", async () => {
    const tokenizer = await Tokenizer.load(await tinyModelDirectory())
    const before = tokenizer.encode('<think>\n셋이다\n</think>\n\n')
    const answer = tokenizer.encode('정답: 3')
    const tokens = Int32Array.from([...before, ...answer, tokenizer.eosIds[0]!])
    const span = answerTokens(tokens, tokenizer, 'after_think')!
    expect(tokenizer.decode(tokens.slice(span.first, span.last)).trim()).toBe('정답: 3')
    expect(span.last).toBe(tokens.length - 1)
  })

  it('measures agreement of thinking and answer without any model', () => {
    expect(agreesWithThinking('<think>\n그러면 12\n</think>\n\n정답: 12')).toBe(true)
    expect(agreesWithThinking('<think>\n그러면 13\n</think>\n\n정답: 12')).toBe(false)
    expect(agreesWithThinking('정답: 12')).toBeNull()
  })
})

describe('ProRL', () => {
  const evaluated = (patience: number) => ({
    beta: 0.05,
    max_steps: 6,
    eval_steps: 1,
    ref_reset_plateau: { patience, metric: 'eval_accuracy' },
  })

  it('resets the reference on a plateau of the evaluation, and resumes across it to the bit', async () => {
    // The tiny model never solves a problem, so its accuracy is flat: best at step 1, resets after 3 and 5.
    const straight = await grpoRun(evaluated(2), [], {
      data: [{ path: 'mini:eval', size: 2 }],
      max_completion_length: 16,
    })
    const resets = straight.events.filter(
      event =>
        event.type === 'note' && event.message.includes('the reference model is now the policy'),
    )
    expect(resets).toHaveLength(2)
    // The first line is the evaluation before step 1.
    expect(straight.steps.flatMap((step, i) => (step.kl === 0 ? [i] : []))).toEqual([1, 4, 6])
    const resumed = await grpoRun(evaluated(2), [2, 3, 4], {
      data: [{ path: 'mini:eval', size: 2 }],
      max_completion_length: 16,
    })
    expect(resumed.steps).toEqual(straight.steps)
    expect(resumed.weights.equals(straight.weights)).toBe(true)
  })

  it('takes from truncated completions, shapes by length, and counts by domain', async () => {
    const file = prompts('[0-4]')
    const data = [
      { path: file, weight: 3, domain: 'sums', size: 6 },
      { path: prompts('[0-4]'), weight: 1, domain: 'more', size: 6 },
    ]
    const plain = await grpoRun({ ...base('[0-4]'), data })
    const shares = (domain: string): number =>
      plain.steps.reduce((sum, step) => sum + (step[`domain/${domain}/share`] ?? 0), 0)
    expect([shares('sums'), shares('more')]).toEqual([3, 1])
    const cut = await grpoRun({ ...base('[0-4]'), data, truncated_reward_coef: 0 })
    expect(cut.steps[0]!['rewards/accuracy/mean']).toBe(plain.steps[0]!['rewards/accuracy/mean'])
    expect(cut.steps[0]!.reward).toBeLessThan(plain.steps[0]!.reward!)
    const cosine = await grpoRun({
      ...base('[0-4]'),
      data,
      cosine_length: { cycle_on: 1, cycle_off: 1 },
    })
    expect(cosine.steps.map(step => 'rewards/cosine_length/mean' in step)).toEqual([
      true,
      false,
      true,
      false,
    ])
  })
})

describe('curriculum', () => {
  it('draws easy prompts first, leaves out what was never solved, and resumes', async () => {
    const file = prompts('[0-4]', [0, 0.25, 1])
    const changes: GrpoInput = {
      data: [{ path: file }],
      rewards: accuracy,
      per_device_train_batch_size: 8,
      max_steps: 8,
      curriculum: { order: 'easy_to_hard', buckets: 2, drop_zero_pass: true },
    }
    const { events, steps, weights } = await grpoRun(changes)
    const drawn = events.flatMap(event =>
      event.type === 'completions' ? [String(event.rows[0]!.prompt)] : [],
    )
    // Prompt i has rate [0, 0.25, 1][i mod 3]: four are left out, four easy ones come first.
    const rates = drawn.map(text => [0, 0.25, 1][Number(/사과 (\d+)/.exec(text)![1]) % 3])
    expect(rates).toEqual([1, 1, 1, 1, 0.25, 0.25, 0.25, 0.25])
    const notes = events.filter(event => event.type === 'note' && event.message.includes('4 of 12'))
    expect(notes).toHaveLength(1)
    const resumed = await grpoRun(changes, [3])
    expect(resumed.steps).toEqual(steps)
    expect(resumed.weights.equals(weights)).toBe(true)
  })

  it('names the line without a pass rate', async () => {
    await expect(
      grpoRun({ ...base('[0-4]'), curriculum: { order: 'hard_to_easy' } }),
    ).rejects.toThrow(/prompts\.jsonl:1: curriculum needs the column "pass_rate"/)
  })
})

describe('readiness', () => {
  it('warns before the first update of a model that is not ready, or ends the run', async () => {
    const changes = { ...base('결코 없는 말'), readiness: { prompts: 3 } }
    const { events } = await grpoRun({ ...changes, max_steps: 1 })
    const notes = events.filter(
      event => event.type === 'note' && event.message.startsWith('readiness'),
    )
    expect(notes).toHaveLength(1)
    expect(notes[0]).toMatchObject({ level: 'warning' })
    await expect(
      grpoRun({ ...base('결코 없는 말'), readiness: { action: 'stop' } }),
    ).rejects.toMatchObject({ code: 'E_NOT_READY' })
    expect(spreadEvenly([1, 2, 3, 4, 5, 6], 3)).toEqual([1, 3, 5])
  })
})
