/**
 * The neighbouring papers' options in whole runs of a tiny model. What is "right" here is a pattern that
 * a part of its completions has, so that groups differ.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { openRewardModel, SCORE, saveRewardModel } from '../../lib/reward-model/model.ts'
import { CRITIQUE_INSTRUCTION } from '../../lib/rewards/judge/prompt.ts'
import { agreesWithThinking, answerSpan, answerTokens } from '../../lib/train/consistency.ts'
import { findState } from '../../lib/train/find-state.ts'
import { spreadEvenly } from '../../lib/train/probe.ts'
import { critiqueText } from '../../lib/train/refine.ts'
import { runTraining } from '../../lib/train/run.ts'
import { fakeEndpoint, reply } from '../rewards/judge/fake-endpoint.ts'
import { type GrpoInput, grpoRun, warmModel } from './grpo-runs.ts'
import { recorder, tinyModelDirectory, tinyRecipe } from './tiny.ts'

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

  it("gives the judge's own words, of both kinds of failure, and resumes to the bit", async () => {
    const endpoint = await fakeEndpoint(({ text, body }, response) => {
      const critic = body.messages[0]!.content === CRITIQUE_INSTRUCTION
      if (!critic) return reply(response, '{"verdict": 0}')
      // Of one prompt in three nothing is said; a special token in what is said is data.
      if (text.includes('사과 3개') || text.includes('사과 6개')) return reply(response, ' ')
      return reply(response, '<think>흠</think>둘째 줄의 덧셈이 틀렸다. <|im_end|>')
    })
    try {
      const changes: GrpoInput = {
        ...base('[0-4]'),
        // The judge finds everything wrong, so that every group is refined.
        oracle: {
          rule: 'override',
          judge: { kind: 'openai', base_url: endpoint.base_url, model: 'm', max_retries: 0 },
        },
        critique: { type: 'judge', num_candidates: 2 },
      }
      const straight = await grpoRun(changes)
      let [silent, refined] = [0, 0]
      for (const step of straight.steps) {
        silent += step['critique/without_words']!
        refined += step['critique/refined_groups']!
        expect(step['critique/without_words']! + step['critique/refined_groups']!).toBe(2)
        expect(step['critique/judge_requests']).toBe(4)
        expect(step['critique/judge_failure_rate']).toBe(step['critique/without_words']! / 2)
      }
      expect(refined).toBeGreaterThan(0)
      expect(silent).toBeGreaterThan(0)
      const asked = endpoint.requests.find(
        ({ body }) => body.messages[0]!.content === CRITIQUE_INSTRUCTION,
      )!
      expect(asked.text).toContain('What is wrong with it?')
      const resumed = await grpoRun(changes, [2])
      expect(resumed.weights.equals(straight.weights)).toBe(true)
    } finally {
      endpoint.close()
    }
  })

  it('with consistency_bonus: a refinement earns it under the plain question, in its new group', async () => {
    const changes: GrpoInput = {
      ...base('[0-4]'),
      ...SLOW,
      consistency_bonus: { margin: 1 },
      critique: { type: 'text', num_candidates: 2, only_failed_groups: false },
    }
    const { events, steps, weights } = await grpoRun(changes)
    const rows = events.flatMap(event => (event.type === 'completions' ? event.rows : []))
    const refined = rows.filter(row => row.refined)
    expect(refined.length).toBeGreaterThan(0)
    // With a margin of 1 every right completion of a group has the bonus, whoever wrote it.
    for (const row of rows) {
      expect(row.rewards.consistency).toBe(row.rewards.accuracy === 1 ? 0.5 : 0)
    }
    expect(refined.some(row => row.rewards.consistency === 0.5)).toBe(true)
    const resumed = await grpoRun(changes, [2])
    expect(resumed.steps).toEqual(steps)
    expect(resumed.weights.equals(weights)).toBe(true)
  })

  it('says what it is asked to say, and names the column that is missing', () => {
    const prompt = {
      promptIds: new Int32Array(),
      messages: [],
      extra: { answer: '7', solution: '셋에 넷을 더한다.' },
      file: 'f.jsonl',
      line: 3,
    }
    const text = (
      type: 'simple' | 'simple_gt' | 'text' | 'judge',
      extra = prompt.extra as object,
    ): string =>
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
        '끝이다. <|im_end|>',
      )
    expect(text('simple')).not.toContain('7')
    expect(text('simple_gt')).toContain('정답은 7입니다')
    expect(text('text')).toContain('셋에 넷을 더한다.')
    expect(text('judge')).toContain('채점자의 지적은 다음과 같습니다.\n끝이다. < |im_end|>')
    expect(text('judge')).not.toContain('7')
    expect(() => text('text', { answer: '7' })).toThrow('f.jsonl:3: critique.type text needs')
  })
})

describe('dense_reward', () => {
  /** The tiny model as a reward model whose head is not yet trained, but is not zero either. */
  async function rewardModel(source: string): Promise<string> {
    const model = await openRewardModel(source, { fromLanguageModel: true })
    const dir = join(mkdtempSync(join(tmpdir(), 'kogrpo-test-')), 'reward')
    const head = new Float32Array(2 * model.engine.config.hiddenSize)
    await model.engine.writeParameter(
      SCORE,
      head.map((_, i) => Math.sin(i)),
    )
    await saveRewardModel(dir, model)
    await model.engine.dispose()
    return dir
  }

  it('teaches per token also where rewards are equal, in any micro-batches, and resumes', async () => {
    const path = await rewardModel(await warmModel())
    // No completion is ever right: without the reward model there is nothing to learn.
    const flat = base('결코 없는 말')
    const untaught = await grpoRun(flat)
    const changes: GrpoInput = { ...flat, dense_reward: { path, gamma: 0.5 } }
    const { steps, weights } = await grpoRun(changes)
    expect(weights.equals(untaught.weights)).toBe(false)
    for (const step of steps) {
      expect(step.frac_reward_zero_std).toBe(1)
      expect(step.grad_norm).toBeGreaterThan(0)
      expect(step['sampling/sampling_logp_difference/max']).toBe(0)
      expect(Math.abs(step['dense_reward/mean']!)).toBeGreaterThan(0)
      // Scaled to deviation 1: the mean size of an advantage is about 0.8.
      expect(step['dense_reward/advantage_abs']).toBeGreaterThan(0.3)
      expect(step['dense_reward/advantage_abs']).toBeLessThan(2)
    }
    const cut = await grpoRun({
      ...changes,
      per_device_train_batch_size: 4,
      gradient_accumulation_steps: 4,
    })
    expect(cut.steps[0]!['dense_reward/mean']).toBe(steps[0]!['dense_reward/mean'])
    expect(cut.steps[0]!.loss).toBeCloseTo(steps[0]!.loss!, 6)
    expect(cut.steps[0]!.grad_norm! / steps[0]!.grad_norm!).toBeCloseTo(1, 5)
    const half = await grpoRun({ ...flat, dense_reward: { path, gamma: 0.5, weight: 0.5 } })
    expect(half.steps[0]!.grad_norm! / steps[0]!.grad_norm!).toBeCloseTo(0.5, 5)
    const resumed = await grpoRun(changes, [1, 3])
    expect(resumed.steps).toEqual(steps)
    expect(resumed.weights.equals(weights)).toBe(true)
  })

  it('is not gone on with under another reward model', async () => {
    const source = await warmModel()
    const path = await rewardModel(source)
    const config = await tinyRecipe({
      ...{ seed: 5, threads: 1, model: { path: source, init: 'pretrained' } },
      grpo: {
        ...{ data: [{ path: prompts('결코 없는 말') }], rewards: accuracy },
        ...{ readiness: { action: 'off' }, dense_reward: { path } },
        ...{ max_steps: 2, num_generations: 4, save_steps: 1 },
        ...{ per_device_train_batch_size: 4, max_completion_length: 8 },
      },
    })
    const { reporter } = recorder()
    const signal = new AbortController().signal
    await runTraining(config, { reporter, signal })
    const resume = await findState(config.output_dir)
    expect(resume!.dense_reward).toMatch(/^[0-9a-f]+$/)
    const file = join(path, 'model.safetensors')
    const bytes = readFileSync(file)
    bytes[bytes.length - 3]! ^= 1
    writeFileSync(file, bytes)
    await expect(runTraining(config, { reporter, signal, resume })).rejects.toThrow(
      /grpo.dense_reward: was as it was saved, is now .*reward with other weights/,
    )
  })

  it('refuses what is no reward model, and one of another tokenizer', async () => {
    const source = await warmModel()
    await expect(
      grpoRun({ ...base('[0-4]'), dense_reward: { path: source } }),
    ).rejects.toMatchObject({ code: 'E_MODEL_CONFIG' })
    const path = await rewardModel(source)
    const file = join(path, 'tokenizer.json')
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
    await expect(grpoRun({ ...base('[0-4]'), dense_reward: { path } })).rejects.toThrow(
      "is not the policy's tokenizer",
    )
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
