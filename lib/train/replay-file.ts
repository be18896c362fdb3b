/**
 * replay.json: the micro-batches of a step that went wrong, exactly as they were. Arrays are base64 of
 * their little-endian bytes, because JSON has no NaN and no infinities.
 */
import * as z from 'zod'
import type { PolicyLossOptions } from '../algorithms/policy-loss.ts'
import type { Recipe } from '../config/schema.ts'
import type { Message } from '../data/chat-template.ts'
import type { StageName } from '../report/events.ts'
import type { NonFiniteReward } from '../rewards/run.ts'

/** A micro-batch with everything that its loss is made of. */
export interface ReplayBatch {
  tokens: Int32Array
  cuSeqlens: Int32Array
  mask: Uint8Array
  prefixes?: Int32Array | undefined
  /** What the places themselves are to predict (masked_diffusion). */
  targets?: Int32Array | undefined
  /** ∂L/∂logprob as it was given to the engine (sft); absent where it follows from the rest. */
  coef?: Float32Array | undefined
  /** grpo: of every sequence, and by token. */
  advantages?: Float32Array | undefined
  sampled?: Float32Array | undefined
  old?: Float32Array | undefined
  reference?: Float32Array | undefined
  weights?: Float32Array | undefined
  /** grpo: 1 for every sequence that is a refinement; absent where none is. */
  refined?: Uint8Array | undefined
  /** grpo: of the whole step. */
  options?: PolicyLossOptions | undefined
}

/** A reward that was not finite, and what it was given for. */
export interface NonFiniteSample extends NonFiniteReward {
  prompt: readonly Message[]
  completion: string
}

export interface ReplayFile {
  version: 1
  config: Recipe
  stage: StageName
  step: number
  /** What was not finite. */
  what: string
  batches: ReplayBatch[]
  /** grpo: where `what` is "reward". */
  rewards?: readonly NonFiniteSample[]
}

const ARRAYS = { Int32Array, Float32Array, Uint8Array } as const

const encoded = z.strictObject({
  type: z.enum(['Int32Array', 'Float32Array', 'Uint8Array']),
  base64: z.base64(),
})

const shape = z.looseObject({
  version: z.literal(1),
  config: z.looseObject({}),
  stage: z.enum(['pretrain', 'sft', 'grpo']),
  step: z.int().min(1),
  what: z.string(),
  // Dynamic sampling may have left nothing of a round whose rewards went wrong.
  batches: z.array(z.looseObject({})),
  rewards: z
    .array(z.looseObject({ reward: z.string(), sample: z.int(), value: z.string() }))
    .optional(),
})

type ArrayValue = Int32Array | Float32Array | Uint8Array

function isArray(value: unknown): value is ArrayValue {
  return Object.values(ARRAYS).some(type => value instanceof type)
}

export function replayText(file: ReplayFile): string {
  return JSON.stringify(file, (_, value: unknown) => {
    if (!isArray(value)) return value
    const base64 = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
    return { type: value.constructor.name, base64 }
  })
}

/** Throws what is wrong with the text, without naming the file. */
export function parseReplay(text: string): ReplayFile {
  const value: unknown = JSON.parse(text, (_, part: unknown) => {
    const { data } = encoded.safeParse(part)
    if (!data) return part
    const bytes = Uint8Array.from(Buffer.from(data.base64, 'base64'))
    if (data.type === 'Uint8Array') return bytes
    return new ARRAYS[data.type](bytes.buffer)
  })
  const { error } = shape.safeParse(value)
  if (error) throw new Error(z.prettifyError(error).replaceAll(/\s*\n\s*/g, ' '))
  return value as ReplayFile
}
