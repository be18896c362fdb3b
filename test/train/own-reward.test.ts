/** A run with a reward function of the user's is the run of the built-in one that computes the same. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Reporter } from '../../lib/report/reporter.ts'
import { findState } from '../../lib/train/find-state.ts'
import { runTraining } from '../../lib/train/run.ts'
import { grpoRun, warmModel } from './grpo-runs.ts'
import { tinyRecipe } from './tiny.ts'

const directory = mkdtempSync(join(tmpdir(), 'kogrpo-own-reward-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const path = join(directory, 'short.mjs')
// What the reward overlong is with max_completion_length and soft_punish_cache 40.
const SHORT = `export default async ({ completionIds }, { limit }) =>
  completionIds.map(ids => (0 - ids.length) / limit)
`
writeFileSync(path, SHORT)

const own = {
  rewards: [{ name: 'format' as const, weight: 0 }],
  reward_functions: [{ name: 'short', path, weight: 1, options: { limit: 40 } }],
}

test('the same rewards, steps and weights as by the built-in one, also resumed', async () => {
  const [builtin, run, resumed] = [await grpoRun(), await grpoRun(own), await grpoRun(own, [2])]
  const rewards = (steps: typeof run.steps, name: string) =>
    steps.map(step => [step[`rewards/${name}/mean`], step.reward, step.grad_norm])
  expect(rewards(run.steps, 'short')).toEqual(rewards(builtin.steps, 'overlong'))
  expect(run.steps.some(step => step.grad_norm! > 0)).toBe(true)
  expect(run.weights.equals(builtin.weights)).toBe(true)
  expect(resumed.weights.equals(run.weights)).toBe(true)
})

test('a run is not resumed with another function', async () => {
  const config = await tinyRecipe({
    seed: 5,
    model: { path: await warmModel(), init: 'pretrained' },
    grpo: {
      ...{ data: [{ path: 'mini:grpo', size: 40 }], max_steps: 2, num_generations: 4 },
      ...{ per_device_train_batch_size: 4, max_completion_length: 8, ...own },
    },
  })
  const controller = new AbortController()
  const handle = ({ type }: { type: string }): void => {
    if (type === 'step') controller.abort()
  }
  const reporter = new Reporter([{ handle }])
  await runTraining(config, { reporter, signal: controller.signal }).catch(() => {})
  writeFileSync(path, SHORT.replace('0 - ids.length', '-ids.length'))
  const resume = await findState(config.output_dir)
  const again = { reporter: new Reporter([]), signal: new AbortController().signal, resume }
  await expect(runTraining(config, again)).rejects.toThrow(
    /grpo\.reward_functions\.short: was .*short\.mjs \(SHA-256 .*, is now .*short\.mjs \(SHA-256 /,
  )
})
