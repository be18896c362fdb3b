/**
 * A recipe's sources as records: built-in sets (`mini:sft` …) and files, in one form. Built-in records
 * name their set and index where files name path and line, so errors read alike.
 */
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import { isBuiltin } from '../config/schema/source.ts'
import type { Source } from '../config/schema.ts'
import { readRecords, type SourceRecord } from '../data/readers.ts'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import {
  isMiniDataset,
  MINI_DATASETS,
  type MiniDatasetOptions,
  miniDataset,
} from '../mini/datasets.ts'
import {
  isMiniJudgeSet,
  MINI_JUDGE_SETS,
  MINI_JUDGE_TEMPLATE,
  type MiniJudgeSetName,
  miniJudgeSet,
} from '../mini/judge-set.ts'
import { FAMILIES } from '../mini/problems.ts'
import { checkPrompt, judgeMessages } from '../rewards/judge/prompt.ts'
import { parseOptions } from '../rewards/options.ts'

const BUILTIN_MODELS: Record<string, string> = { 'builtin:mini': '../../assets/mini/' }

/** The directory that a recipe's or command line's model path means. */
export function modelPath(path: string): string {
  const builtin = BUILTIN_MODELS[path]
  if (builtin !== undefined) return fileURLToPath(new URL(builtin, import.meta.url))
  if (path.startsWith('builtin:')) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('there is no model "{path}" in the package; there is {known}', {
        path,
        known: Object.keys(BUILTIN_MODELS).join(', '),
      }),
    )
  }
  return path
}

/** Records of a built-in set when the recipe does not say how many. */
const BUILTIN_SIZE = 10_000

/** Options of the labelled sets: how the judge is asked, as in `oracle.judge`, and their seed. */
const judgeSetOptions = z.strictObject({
  seed: z.int().min(0).optional(),
  instruction: z.string().default(''),
  template: z.string().min(1).default(MINI_JUDGE_TEMPLATE),
})

const share = z.number().min(0).max(1).optional()

/** Options of the generated sets, as `MiniDatasetOptions` has them; the size is a key of the source. */
const miniDatasetOptions = z.strictObject({
  seed: z.int().min(0).optional(),
  noise: share,
  terse: share,
  unitAnswer: share,
  variedAnswer: share,
  plainShare: share,
  families: z.array(z.enum(FAMILIES)).optional(),
  minSteps: z.int().min(1).optional(),
  maxSteps: z.int().min(1).optional(),
})

/** Labelled answers as conversations: what a judge is asked, and the verdict it should give. */
function* judgeRecords(
  path: MiniJudgeSetName,
  source: Source,
  seed: number,
): Generator<SourceRecord> {
  const options = parseOptions(`source ${path}`, judgeSetOptions, source.options)
  checkPrompt(options)
  const size = source.size ?? BUILTIN_SIZE
  let line = 1
  for (const record of miniJudgeSet(path, { seed: options.seed ?? seed, size })) {
    const item = { ...record, thinking: null, columns: {} }
    const content = `{"reason": ${JSON.stringify(record.reason)}, "verdict": ${record.label}}`
    const messages = [...judgeMessages(item, options), { role: 'assistant', content }]
    yield { record: { ...record, messages }, file: path, line: line++ }
  }
}

function* builtinRecords(source: Source, seed: number): Generator<SourceRecord> {
  if (isMiniJudgeSet(source.path)) {
    yield* judgeRecords(source.path, source, seed)
    return
  }
  if (!isMiniDataset(source.path)) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase('there is no built-in data set "{path}"; there are {known}', {
        path: source.path,
        known: [...MINI_DATASETS, ...MINI_JUDGE_SETS].join(', '),
      }),
    )
  }
  const options: Partial<MiniDatasetOptions> = parseOptions(
    `source ${source.path}`,
    miniDatasetOptions,
    source.options,
  )
  const records = miniDataset(source.path, { seed, ...options, size: source.size ?? BUILTIN_SIZE })
  for (const [i, record] of records.entries()) {
    yield { record: { ...record }, file: source.path, line: i + 1 }
  }
}

/** The records of one source, at most `size` of them. `seed` is for built-in sets. */
export async function* sourceRecords(source: Source, seed: number): AsyncGenerator<SourceRecord> {
  if (isBuiltin(source)) {
    yield* builtinRecords(source, seed)
    return
  }
  let left = source.size ?? Number.POSITIVE_INFINITY
  for await (const record of readRecords(source.path)) {
    yield record
    if (--left === 0) return
  }
}
