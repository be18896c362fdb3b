/** Steps whose loss or gradient is not finite: left out or stopping the run, and found again by replay. */
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RecipeInput } from '../../../lib/config/schema.ts'
import { FiniteSteps, MAX_SKIPPED } from '../../../lib/train/nonfinite.ts'
import { replay } from '../../../lib/train/replay.ts'
import type { ReplayBatch } from '../../../lib/train/replay-file.ts'
import type { Session } from '../../../lib/train/session.ts'
import { kogrpo } from '../../cli/running.ts'
import { tinySession } from '../tiny.ts'

const stage = (on_nonfinite: 'stop' | 'skip_step'): RecipeInput => ({
  seed: 1,
  threads: 1,
  sft: { data: [{ path: 'mini:sft', size: 2 }], max_steps: 1, on_nonfinite },
})

const batch = (): ReplayBatch => ({
  tokens: Int32Array.of(5, 6, 7, 8, 9, 10),
  cuSeqlens: Int32Array.of(0, 3, 6),
  mask: Uint8Array.of(0, 1, 1, 0, 1, 1),
  coef: Float32Array.of(0, -1, -1, 0, -1, -1),
})

/** One step on `batch()`; returns its metrics. */
async function step(session: Session, finite: FiniteSteps, number: number) {
  const { coef, ...rest } = batch()
  const { logprobs } = await session.engine.forwardBackward(rest, coef!)
  const loss = logprobs.reduce((sum, x) => sum - x, 0)
  const make = async () => {
    const { gradNorm } = await session.engine.optimizerStep({ learningRate: 0.01 })
    return { grad_norm: gradNorm, learning_rate: 0.01 }
  }
  return await finite.update(number, loss, make, () => [batch()])
}

const EMBEDDING = 'model.embed_tokens.weight'

/** Makes the embedding of id 9 NaN: the third of the second sequence's tokens' predecessor. */
async function breakToken(session: Session): Promise<void> {
  const values = await session.engine.readParameter(EMBEDDING)
  values[9 * 32 + 4] = Number.NaN
  await session.engine.writeParameter(EMBEDDING, values)
}

describe('a step that is not finite', () => {
  it('is left out by skip_step, to the bit, and many in a row stop the run', async () => {
    const session = await tinySession(stage('skip_step'))
    const finite = new FiniteSteps(session, 'sft', { on_nonfinite: 'skip_step' }, 0)
    expect(await step(session, finite, 1)).toHaveProperty('learning_rate', 0.01)
    const healthy = await session.engine.readParameter(EMBEDDING)
    await breakToken(session)
    const { parameters } = await session.engine.weightDigests()
    for (let n = 2; n <= 4; n++) {
      const metrics = await step(session, finite, n)
      expect(metrics).toEqual({ grad_norm: null, 'nonfinite/skipped_steps': n - 1 })
      expect((await session.engine.weightDigests()).parameters).toBe(parameters)
    }
    await session.engine.writeParameter(EMBEDDING, healthy)
    // The gradients of the steps before have gone.
    expect((await step(session, finite, 5)).grad_norm).toBeGreaterThan(0)
    expect(finite.skipped).toBe(0)
    await breakToken(session)
    for (let n = 6; n < 5 + MAX_SKIPPED; n++) await step(session, finite, n)
    await expect(step(session, finite, 5 + MAX_SKIPPED)).rejects.toThrow('10 steps in a row')
    const saved = readdirSync(join(session.config.output_dir, 'nonfinite'))
    expect(saved).toEqual(['sft-2', 'sft-3', 'sft-4'])
    await session.engine.dispose()
  })

  it('stops the run; replay names the weight, the tensor, the token and the gradient', async () => {
    const session = await tinySession(stage('stop'))
    const finite = new FiniteSteps(session, 'sft', { on_nonfinite: 'stop' }, 0)
    await breakToken(session)
    await expect(step(session, finite, 3)).rejects.toMatchObject({
      code: 'E_DIVERGED',
      message: expect.stringMatching(/^sft step 3: the loss is not finite \(NaN\).*replay .*sft-3/),
    })
    await session.engine.dispose()
    const directory = join(session.config.output_dir, 'nonfinite', 'sft-3')
    const found = await replay(directory, new AbortController().signal)
    const findings = found.map(finding => ({ ...finding, message: String(finding.message) }))
    expect(findings[0]).toEqual({
      where: 'weights',
      message: `parameter ${EMBEDDING}[292] is NaN, as are 0 more of its 32768`,
    })
    const at = (where: string) => findings.find(finding => finding.where === where)
    expect(at('forward')).toMatchObject({
      batch: 0,
      message:
        'model.embed_tokens (residual stream) is NaN at sample 1, token 1 (id 9), column 4; 1 of its values are not finite',
    })
    // The head is the embedding: its row of id 9 takes part in every softmax.
    expect(at('log-probs')!.message).toMatch(
      /^the log-prob is NaN at sample 0, token 1 .*; 4 tokens/,
    )
    expect(at('backward')!.message).toContain('the first in the order of the backward pass')

    const shown = await kogrpo(['replay', directory])
    expect(shown).toMatchObject({ code: 0 })
    expect(shown.stdout).toContain(
      'sft step 3: the loss was not finite. 1 micro-batches of 6 tokens',
    )
    expect(shown.stdout).toContain(`first:\n  weights: parameter ${EMBEDDING}[292] is NaN`)
    await writeFile(join(directory, 'replay.json'), '{}')
    const torn = await kogrpo(['replay', directory])
    expect(torn).toMatchObject({ code: 1, stderr: expect.stringContaining('is damaged') })
  })
})
