/**
 * The miniature's data as named sources in the ordinary record format:
 * - `mini:pretrain`: chat with English thinking, mixed with plain documents of Korean solutions, so
 *   that the base model knows Korean arithmetic but never thinks in Korean in a chat;
 * - `mini:sft`: chat with Korean thinking;
 * - `mini:grpo`: prompts with the gold answer, from the training side;
 * - `mini:eval`: prompts with the gold answer, from the held-out side, no question twice.
 * The answer line ("정답: 6000원") is Korean everywhere. Record i depends on (name, seed, i) and the
 * options alone; only `mini:eval` looks back, to drop repeated questions.
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { type Family, generateProblem, type Problem, type ProblemOptions } from './problems.ts'
import { createRandom, hash64, splitmix64 } from './random.ts'

export const MINI_DATASETS = ['mini:pretrain', 'mini:sft', 'mini:grpo', 'mini:eval'] as const

type MiniDatasetName = (typeof MINI_DATASETS)[number]

export interface MiniDatasetOptions {
  readonly seed: number | bigint
  /** Number of records. */
  readonly size: number
  /** Probability of a trace with a mistake; see `MINI_DEFAULTS`. */
  readonly noise?: number
  /** Probability of a one-expression trace. */
  readonly terse?: number
  /** Probability of 만/천 in the answer line. */
  readonly unitAnswer?: number
  /** Probability of an answer in other words than the marked line (Korean traces). */
  readonly variedAnswer?: number
  /** Share of plain documents in `mini:pretrain`. */
  readonly plainShare?: number
  readonly families?: readonly Family[]
  readonly minSteps?: number
  readonly maxSteps?: number
}

interface MiniMessage {
  readonly role: 'user' | 'assistant'
  readonly content: string
  readonly reasoning_content?: string
}

interface MiniRecord {
  readonly id: string
  readonly messages?: readonly MiniMessage[]
  readonly prompt?: readonly MiniMessage[]
  readonly text?: string
  /** Gold answer in digits. */
  readonly answer: string
  readonly unit: string
  readonly family: Family
  readonly steps: number
}

type Style = Required<Pick<MiniDatasetOptions, 'noise' | 'terse' | 'unitAnswer' | 'plainShare'>>

/** How the traces of each source are told unless the options say otherwise. */
const MINI_DEFAULTS: Readonly<Record<MiniDatasetName, Style>> = {
  'mini:pretrain': { noise: 0, terse: 0.1, unitAnswer: 0.05, plainShare: 0.3 },
  'mini:sft': { noise: 0.1, terse: 0.5, unitAnswer: 0.1, plainShare: 0 },
  'mini:grpo': { noise: 0, terse: 0, unitAnswer: 0, plainShare: 0 },
  'mini:eval': { noise: 0, terse: 0, unitAnswer: 0, plainShare: 0 },
}

/** A solved problem as a plain document, without any chat structure. */
function plainDocument(problem: Problem): string {
  return `문제: ${problem.question}\n풀이: ${problem.korean.thinking}\n${problem.korean.answer}`
}

function chat(problem: Problem, language: 'english' | 'korean'): readonly MiniMessage[] {
  const { thinking, answer } = problem[language]
  return [
    { role: 'user', content: problem.question },
    { role: 'assistant', content: answer, reasoning_content: thinking },
  ]
}

function toRecord(name: MiniDatasetName, problem: Problem, plain: boolean): MiniRecord {
  const { id, answer, unit, family, steps } = problem
  const columns = { id, answer, unit, family, steps }
  if (name === 'mini:sft') return { messages: chat(problem, 'korean'), ...columns }
  if (name === 'mini:pretrain') {
    return plain
      ? { text: plainDocument(problem), ...columns }
      : { messages: chat(problem, 'english'), ...columns }
  }
  return { prompt: [{ role: 'user', content: problem.question }], ...columns }
}

/** Whether `name` is one of `MINI_DATASETS`. */
export function isMiniDataset(name: string): name is MiniDatasetName {
  return (MINI_DATASETS as readonly string[]).includes(name)
}

/**
 * The problem behind each record of `miniDataset(name, options)`, in the same order.
 * @throws KogrpoError `E_ARGUMENT` for an unknown name, a size that is not a positive integer, or
 *   more held-out questions than the options leave.
 */
export function* miniProblems(name: string, options: MiniDatasetOptions): Generator<Problem> {
  if (!isMiniDataset(name)) {
    throw new KogrpoError(
      'E_ARGUMENT',
      phrase('unknown built-in data "{name}"; known are {known}', {
        name,
        known: MINI_DATASETS.join(', '),
      }),
    )
  }
  const { seed, size, families, minSteps, maxSteps } = options
  if (!Number.isInteger(size) || size < 1) {
    throw new KogrpoError(
      'E_ARGUMENT',
      phrase('{name}: size is {size}: give a positive integer', { name, size }),
    )
  }
  const heldOut = name === 'mini:eval'
  const problemOptions: ProblemOptions = {
    split: heldOut ? 'heldout' : 'train',
    families,
    minSteps,
    maxSteps,
    noise: options.noise ?? MINI_DEFAULTS[name].noise,
    terse: options.terse ?? MINI_DEFAULTS[name].terse,
    unitAnswer: options.unitAnswer ?? MINI_DEFAULTS[name].unitAnswer,
    variedAnswer: options.variedAnswer,
  }
  const root = splitmix64(hash64(name) ^ splitmix64(BigInt.asUintN(64, BigInt(seed))))
  const seen = new Set<string>()
  let found = 0
  for (let index = 0; found < size; index++) {
    if (index > 20 * size + 1000) {
      throw new KogrpoError(
        'E_ARGUMENT',
        phrase(
          '{name}: only {found} of {size} different questions found: ask for fewer, or allow more families or steps',
          { name, found, size },
        ),
      )
    }
    const problem = generateProblem(splitmix64(root, BigInt(index)), problemOptions)
    if (heldOut) {
      if (seen.has(problem.question)) continue
      seen.add(problem.question)
    }
    found++
    yield problem
  }
}

/**
 * The records of a built-in source.
 * @param name one of `MINI_DATASETS`
 * @throws KogrpoError as `miniProblems`
 */
export function miniDataset(name: string, options: MiniDatasetOptions): MiniRecord[] {
  const records: MiniRecord[] = []
  for (const problem of miniProblems(name, options)) {
    const source = name as MiniDatasetName
    const plainShare = options.plainShare ?? MINI_DEFAULTS[source].plainShare
    const plain = createRandom(hash64(`plain ${problem.id}`)).chance(plainShare)
    records.push(toRecord(source, problem, plain))
  }
  return records
}
