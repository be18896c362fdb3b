/**
 * Recomputes the batch of a step that was not finite and finds where the first such value arises:
 *
 *   1. the rewards, as the functions gave them: these are shown, not computed again
 *   2. the weights, by parameter
 *   3. the forward pass, by micro-batch: the first tensor in the order of computing
 *   4. log-probs, by sample and token
 *   5. what the loss is made of: advantages, the sampler's, old and reference log-probs, weights, coefficients
 *   6. the backward pass, by micro-batch: the first parameter's gradient, from the last layer back
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NotFinite, type PolicyLoss, policyLoss } from '../algorithms/policy-loss.ts'
import type { GrpoStage } from '../config/schema.ts'
import { readSums, verifySums } from '../durable/sums.ts'
import type { Engine } from '../engine/engine.ts'
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase, verbatim } from '../messages/phrase.ts'
import { parameterLayout } from '../model/parameters.ts'
import { Reporter } from '../report/reporter.ts'
import { openSession } from './open-session.ts'
import { bonusCoefficients, type Kept, keptTokens, lossInput } from './policy-update.ts'
import { parseReplay, type ReplayBatch, type ReplayFile } from './replay-file.ts'
import { forwardOptions } from './round.ts'
import type { Session } from './session.ts'
import { partsOf } from './state-parts.ts'

/** A value that is not finite, in words, in the order in which they arise. */
interface Finding {
  where: 'rewards' | 'weights' | 'forward' | 'log-probs' | 'loss' | 'backward'
  /** From 0; absent for rewards and weights. */
  batch?: number
  message: Phrase
}

/** Reads a saved batch; `path` is its directory or its replay.json. Throws `E_REPLAY`. */
export async function readReplay(path: string): Promise<{ file: ReplayFile; directory: string }> {
  const directory = path.replace(/\/?replay\.json$/, '') || '.'
  try {
    const parts = partsOf('engine.bin', (await readSums(directory)).keys())
    await verifySums(directory, [...parts, 'replay.json'])
    const text = await readFile(join(directory, 'replay.json'), 'utf8')
    return { file: parseReplay(text), directory }
  } catch (cause) {
    throw new KogrpoError('E_REPLAY', joined([directory, failure(cause)], ': '), { cause })
  }
}

/** Recomputes the batch and returns what is not finite, the first first; nothing: all is finite. */
export async function replay(path: string, signal: AbortSignal): Promise<Finding[]> {
  const { file, directory } = await readReplay(path)
  const { grpo, ...rest } = file.config
  // Neither judge nor reward model is asked: what they said is in the batch.
  const oracle = grpo && { ...grpo.oracle, rule: 'none' as const }
  const config = grpo
    ? { ...rest, grpo: { ...grpo, oracle: oracle!, dense_reward: undefined } }
    : rest
  const session = await openSession(config, { reporter: new Reporter([]), signal })
  try {
    await session.engine.loadState(join(directory, 'engine.bin'))
    const findings = [...inRewards(file), ...(await inWeights(session.engine))]
    const policy = await policyOf(session, file)
    for (const [index, batch] of file.batches.entries()) {
      const found = await inBatch(session, policy, batch, index)
      findings.push(...found.map(finding => ({ ...finding, batch: index })))
    }
    return findings
  } finally {
    await session.engine.dispose()
  }
}

const firstOf = (values: Float32Array): number => values.findIndex(x => !Number.isFinite(x))
const countOf = (values: Float32Array): number =>
  values.reduce((sum, x) => sum + (Number.isFinite(x) ? 0 : 1), 0)

function inRewards({ rewards = [] }: ReplayFile): Finding[] {
  return rewards.map(({ reward, sample, value, completion }) => ({
    where: 'rewards',
    message: phrase("reward '{reward}' was {value} for sample {sample}: {completion}", {
      ...{ reward, value, sample, completion: JSON.stringify(completion) },
    }),
  }))
}

async function inWeights(engine: Engine): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { name } of parameterLayout(engine.config).parameters) {
    const values = await engine.readParameter(name)
    const at = firstOf(values)
    if (at < 0) continue
    const message = phrase(
      'parameter {name}[{at}] is {value}, as are {more} more of its {length}',
      { name, at, value: values[at]!, more: countOf(values) - 1, length: values.length },
    )
    findings.push({ where: 'weights', message })
  }
  return findings
}

/** Sample and place of a token of a packed batch. */
function place(batch: ReplayBatch, token: number): Phrase {
  const { cuSeqlens, tokens } = batch
  const sample = cuSeqlens.findIndex((_, i) => token < (cuSeqlens[i + 1] ?? 0))
  return phrase('sample {sample}, token {token} (id {id})', {
    ...{ sample, token: token - cuSeqlens[sample]!, id: tokens[token]! },
  })
}

/** The stage grpo, and which tokens of its step count. */
interface Policy {
  stage: GrpoStage
  kept: Kept
}

/** Null where the step was of another stage. */
export async function policyOf(session: Session, file: ReplayFile): Promise<Policy | null> {
  const { grpo } = file.config
  if (file.stage !== 'grpo' || !grpo) return null
  return { stage: grpo, kept: await keptTokens(session, grpo, file.batches, file.step) }
}

/**
 * The loss of a saved micro-batch of grpo, as the step formed it: bit for bit for the same `logprobs`.
 * Null where the file holds no such.
 */
export function replayedLoss(
  { stage, kept }: Policy,
  batch: ReplayBatch,
  index: number,
  logprobs: Float32Array,
): PolicyLoss | null {
  const { advantages, old, options, reference = null, weights = null, refined = null } = batch
  if (!old || !advantages || !options) return null
  const part = { ...batch, advantages, reference, weights, refined }
  return policyLoss({
    ...lossInput(stage, options, part, kept.tokens[index]!),
    logprobs,
    oldLogprobs: old,
  })
}

async function inBatch(
  session: Session,
  policy: Policy | null,
  batch: ReplayBatch,
  index: number,
): Promise<Finding[]> {
  const { engine, signal } = session
  const findings: Finding[] = []
  const traced = await engine.trace(batch, { signal })
  if (traced) {
    const { tensor, row, column, count, value } = traced
    findings.push({
      where: 'forward',
      message: phrase(
        '{tensor} is {value} at {place}, column {column}; {count} of its values are not finite',
        { tensor, value, place: place(batch, row), column, count },
      ),
    })
  }
  const forward = policy ? forwardOptions(session, policy.stage) : { signal }
  const { logprobs } = await engine.score(batch, forward)
  const { old, advantages } = batch
  for (const [where, name, values] of [
    ['log-probs', phrase('the log-prob'), logprobs],
    ['loss', phrase('the sampled log-prob'), batch.sampled],
    ['loss', phrase('the old log-prob'), old],
    ['loss', phrase('the reference log-prob'), batch.reference],
    ['loss', phrase('the importance weight'), batch.weights],
    ['loss', verbatim('coef'), batch.coef],
  ] as const) {
    const at = values ? firstOf(values) : -1
    if (!values || at < 0) continue
    const message = phrase('{name} is {value} at {place}; {count} tokens in all', {
      ...{ name, value: values[at]!, place: place(batch, at), count: countOf(values) },
    })
    findings.push({ where, message })
  }
  const sample = advantages ? firstOf(advantages) : -1
  if (sample >= 0) {
    findings.push({
      where: 'loss',
      message: phrase('the advantage of {whose} {index} is {value}', {
        whose: advantages!.length === batch.tokens.length ? phrase('token') : phrase('sample'),
        ...{ index: sample, value: advantages![sample]! },
      }),
    })
  }
  let { coef } = batch
  const bonus = policy ? bonusCoefficients(policy.stage, policy.kept, index) : undefined
  if (policy) {
    try {
      const loss = replayedLoss(policy, batch, index, logprobs)
      coef = loss?.coef
      if (loss && !Number.isFinite(loss.loss))
        findings.push({ where: 'loss', message: phrase('the loss is {loss}', { loss: loss.loss }) })
    } catch (error) {
      if (!(error instanceof NotFinite)) throw error
    }
  }
  if (coef && firstOf(coef) < 0) {
    const options = { ...forward, entropyCoef: bonus }
    findings.push(...(await inGradients(engine, batch, coef, options)))
  }
  return findings
}

/** The first parameter's gradient that is not finite, in the order of the backward pass. */
async function inGradients(
  engine: Engine,
  batch: ReplayBatch,
  coef: Float32Array,
  forward: object,
): Promise<Finding[]> {
  await engine.zeroGradients()
  await engine.forwardBackward(batch, coef, forward)
  const names = parameterLayout(engine.config).parameters.map(({ name }) => name)
  const layer = (name: string): number => Number(/layers\.(\d+)\./.exec(name)?.[1] ?? -1)
  const late = (name: string): number =>
    /^(lm_head|model\.norm)/.test(name) ? Number.POSITIVE_INFINITY : layer(name)
  const within = [
    'down_proj',
    'up_proj',
    'gate_proj',
    'post_attention',
    'o_proj',
    'v_proj',
    'k_proj',
    'q_proj',
    'k_norm',
    'q_norm',
    'input_layernorm',
  ]
  const order = (name: string): number => within.findIndex(part => name.includes(part))
  names.sort((a, b) => (late(a) === late(b) ? order(a) - order(b) : late(b) - late(a)))
  for (const name of names) {
    const gradient = await engine.readGradient(name)
    const at = firstOf(gradient)
    if (at < 0) continue
    await engine.zeroGradients()
    const message = phrase(
      'the gradient of {name}[{at}] is {value}, the first in the order of the backward pass; {count} of its {length} values are not finite',
      { name, at, value: gradient[at]!, count: countOf(gradient), length: gradient.length },
    )
    return [{ where: 'backward', message }]
  }
  await engine.zeroGradients()
  return []
}
