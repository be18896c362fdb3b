/**
 * The engine against Hugging Face transformers and torch, in float32, on random weights: logits,
 * log-probs, entropies, the gradient of every parameter, and fifty steps of AdamW. Golden values and
 * the scripts that made them are in test/golden; both sides make the weights from the same formula
 * (test/golden/reference.py), so no weights are stored.
 *
 * Tolerances: logits 1e-4 of the row's largest, log-probs and entropies 1e-4, gradients 1e-4 relative
 * (the norm to itself, entries to the parameter's largest entry, the sum to the sum of magnitudes), loss
 * curve 1e-3. transformers' own float32 error, found by repeating it in double precision, is below 5e-6.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Engine } from '../../lib/engine/engine.ts'
import { parseModelConfig } from '../../lib/model/config.ts'

/** [norm, sum, sum of magnitudes, largest magnitude, values at the parameter's indices] */
type GradientRow = [number, number, number, number, number[]]
/** [name, element count, sum, indices, values at the first three indices] */
type ParameterRow = [string, number, number, number[], number[]]

interface Init {
  seed: number
  std: number
  normScale: number
}

interface ParityCase {
  temperature: number
  vocabLimit: number
  coef: number[]
  entropyCoef: number[] | null
  logprobs: number[]
  entropies: number[]
  gradients: GradientRow[]
}

interface Parity {
  config: Record<string, unknown>
  init: Init
  tokens: number[]
  cuSeqlens: number[]
  logits: {
    sequence: number
    position: number
    max: number
    index: number[] | null
    value: number[]
  }[]
  parameters: ParameterRow[]
  cases: ParityCase[]
}

interface Curve {
  config: Record<string, unknown>
  init: Init
  optimizer: {
    learningRate: number
    beta1: number
    beta2: number
    epsilon: number
    weightDecay: number
    maxGradNorm: number
  }
  steps: { tokens: number[]; cuSeqlens: number[]; coef: number[]; loss: number; gradNorm: number }[]
  final: [string, number, number][]
}

const TOLERANCE = 1e-4
const CURVE_TOLERANCE = 1e-3
const TIMEOUT_MS = 600_000

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), 'utf8')) as T
}

function createEngine(config: Record<string, unknown>, init: Init): Promise<Engine> {
  return Engine.create({ config: parseModelConfig(config), device: 'cpu', threads: 2, init })
}

/** Largest |a − b|; Infinity if a value is not finite or the lengths differ. */
function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let worst = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!)
    if (!(difference <= worst)) worst = Number.isFinite(difference) ? difference : Infinity
  }
  return worst
}

function summarise(values: Float32Array): { sum: number; norm: number } {
  let sum = 0
  let squares = 0
  for (const value of values) {
    sum += value
    squares += value * value
  }
  return { sum, norm: Math.sqrt(squares) }
}

/** The gradient's worst deviation from a golden row, relative as described above. */
function gradientError(gradient: Float32Array, index: number[], row: GradientRow): number {
  const [norm, sum, magnitudes, largest, values] = row
  const actual = summarise(gradient)
  const entries = index.map(i => gradient[i]!)
  return Math.max(
    Math.abs(actual.norm - norm) / norm,
    Math.abs(actual.sum - sum) / magnitudes,
    largestDifference(entries, values) / largest,
  )
}

async function gradientErrors(
  engine: Engine,
  parameters: ParameterRow[],
  rows: GradientRow[],
): Promise<[string, number][]> {
  const errors: [string, number][] = []
  for (const [i, [name, , , index]] of parameters.entries())
    errors.push([name, gradientError(await engine.readGradient(name), index, rows[i]!)])
  return errors
}

const GEOMETRIES = ['tiny_tied', 'tiny_untied', 'bench', 'qwen3_0_6b']

describe.each(GEOMETRIES)('parity with transformers: %s', geometry => {
  const { config, init, parameters, cases, logits, ...batch } = golden<Parity>(`parity/${geometry}`)
  const tokens = Int32Array.from(batch.tokens)
  const cuSeqlens = Int32Array.from(batch.cuSeqlens)
  let engine: Engine

  beforeAll(async () => {
    engine = await createEngine(config, init)
  }, TIMEOUT_MS)
  afterAll(() => engine?.dispose())

  test(
    'the initialiser makes the weights that the reference has',
    async () => {
      for (const [name, count, sum, index, values] of parameters) {
        const actual = await engine.readParameter(name)
        expect(actual.length, name).toBe(count)
        for (const [k, value] of values.entries())
          expect(Math.abs(actual[index[k]!]! - value), `${name}[${index[k]}]`).toBeLessThan(1e-8)
        const { sum: actualSum, norm } = summarise(actual)
        expect(Math.abs(actualSum - sum) / norm, `sum of ${name}`).toBeLessThan(1e-5)
      }
    },
    TIMEOUT_MS,
  )

  test(
    'logits',
    async () => {
      for (const { sequence, position, max, index, value } of logits) {
        const own = tokens.slice(cuSeqlens[sequence]!, cuSeqlens[sequence + 1]!)
        const row = await engine.logits(own, Int32Array.of(position))
        expect(row.length).toBe(config.vocab_size)
        const largest = row.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
        const where = `sequence ${sequence}, position ${position}`
        expect(Math.abs(largest - max) / max, `largest logit, ${where}`).toBeLessThan(TOLERANCE)
        const picked = index ? index.map(i => row[i]!) : row
        expect(largestDifference(picked, value) / max, where).toBeLessThan(TOLERANCE)
      }
    },
    TIMEOUT_MS,
  )

  describe.each(cases.map((value, number) => ({ value, number })))('case $number', ({ value }) => {
    const { temperature, vocabLimit } = value
    const coef = Float32Array.from(value.coef)
    const entropyCoef = value.entropyCoef ? Float32Array.from(value.entropyCoef) : undefined

    test(
      'log-probs, entropies and gradients: forward, then backward',
      async () => {
        await engine.zeroGradients()
        const result = await engine.forward({ tokens, cuSeqlens }, { temperature, vocabLimit })
        await engine.backward(result.handle, coef, entropyCoef)
        expect(largestDifference(result.logprobs, value.logprobs)).toBeLessThan(TOLERANCE)
        expect(largestDifference(result.entropies, value.entropies)).toBeLessThan(TOLERANCE)
        for (const [name, error] of await gradientErrors(engine, parameters, value.gradients))
          expect(error, name).toBeLessThan(TOLERANCE)
      },
      TIMEOUT_MS,
    )

    test(
      'log-probs, entropies and gradients: in one pass',
      async () => {
        await engine.zeroGradients()
        const options = { temperature, vocabLimit, entropyCoef }
        const result = await engine.forwardBackward({ tokens, cuSeqlens }, coef, options)
        expect(largestDifference(result.logprobs, value.logprobs)).toBeLessThan(TOLERANCE)
        expect(largestDifference(result.entropies, value.entropies)).toBeLessThan(TOLERANCE)
        for (const [name, error] of await gradientErrors(engine, parameters, value.gradients))
          expect(error, name).toBeLessThan(TOLERANCE)
      },
      TIMEOUT_MS,
    )
  })
})

describe('parity with torch AdamW', () => {
  test(
    'fifty supervised steps follow the curve',
    async () => {
      const { config, init, optimizer, steps, final } = golden<Curve>('curve')
      const engine = await createEngine(config, init)
      try {
        for (const [number, step] of steps.entries()) {
          const coef = Float32Array.from(step.coef)
          const batch = {
            tokens: Int32Array.from(step.tokens),
            cuSeqlens: Int32Array.from(step.cuSeqlens),
            mask: Uint8Array.from(coef, c => (c === 0 ? 0 : 1)),
          }
          const { logprobs } = await engine.forwardBackward(batch, coef)
          const loss = logprobs.reduce((sum, logprob, t) => sum + coef[t]! * logprob, 0)
          const { gradNorm } = await engine.optimizerStep(optimizer)
          expect(Math.abs(loss - step.loss), `loss of step ${number + 1}`).toBeLessThan(
            CURVE_TOLERANCE,
          )
          expect(
            Math.abs(gradNorm / step.gradNorm - 1),
            `gradient norm of step ${number + 1}`,
          ).toBeLessThan(CURVE_TOLERANCE)
        }
        expect(steps.length).toBe(50)
        for (const [name, , norm] of final) {
          const actual = summarise(await engine.readParameter(name))
          expect(Math.abs(actual.norm / norm - 1), name).toBeLessThan(TOLERANCE)
        }
      } finally {
        await engine.dispose()
      }
    },
    TIMEOUT_MS,
  )
})
