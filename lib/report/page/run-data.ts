/**
 * What the report page shows of a run, read from its directory: the recipe, every metric as a
 * series over the steps of its stage, the summary, and a bounded, even selection of completions.
 * Files are read line by line, so that a long run costs memory only for what is kept. A last line
 * that is still being written is left out.
 */
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { KogrpoError } from '../../errors.ts'
import { parseForeignJson } from '../../foreign-json.ts'
import { failure, joined, phrase } from '../../messages/phrase.ts'
import type { CompletionRow, Summary } from '../events.ts'
import { runDirectory } from '../run-directory.ts'

/** One stage's metrics: `series[key][i]` belongs to `steps[i]`; null where a step lacks the key. */
interface StageSeries {
  stage: string
  steps: number[]
  series: Record<string, (number | null)[]>
}

/** Rows that are kept or left out together. */
const BLOCK = 8

export interface RunData {
  name: string
  recipe: Record<string, unknown>
  stages: StageSeries[]
  summary: Summary | null
  completions: CompletionRow[]
  /** Lines of completions.jsonl, of which `completions` are a selection. */
  completionsTotal: number
}

/** Reads a run directory. Errors: `E_REPORT`, naming the file and line. */
export async function readRun(path: string, maxCompletions: number): Promise<RunData> {
  const files = runDirectory(path)
  if (!existsSync(files.config)) {
    throw new KogrpoError(
      'E_REPORT',
      phrase(
        '{path} has no config.json, so it is not the directory of a run; name a directory such as runs/mini-…',
        { path },
      ),
    )
  }
  const stages = new Map<string, StageSeries>()
  await eachLine(files.metrics, row => addStep(stages, row))
  const { rows, total } = await selectCompletions(files.completions, maxCompletions)
  return {
    name: basename(resolve(path)),
    recipe: readJson(files.config) as Record<string, unknown>,
    stages: [...stages.values()],
    summary: existsSync(files.summary) ? (readJson(files.summary) as Summary) : null,
    completions: rows,
    completionsTotal: total,
  }
}

function addStep(stages: Map<string, StageSeries>, row: Record<string, unknown>): void {
  const { stage, step, ...metrics } = row
  if (typeof stage !== 'string' || typeof step !== 'number') return
  const entry = stages.get(stage) ?? {
    stage,
    steps: [],
    series: Object.create(null) as StageSeries['series'],
  }
  stages.set(stage, entry)
  const before = entry.steps.length
  entry.steps.push(step)
  for (const [key, value] of Object.entries(metrics)) {
    entry.series[key] ??= new Array<null>(before).fill(null)
    entry.series[key].push(typeof value === 'number' ? value : null)
  }
  for (const values of Object.values(entry.series)) {
    if (values.length === before) values.push(null)
  }
}

/**
 * At most `limit` rows: of a file with more, whole blocks of 8 rows (a group's completions stay
 * together) taken evenly from the length of each stage, so that its first and last steps are always
 * among them, and the evaluations before, between and after keep the same problems.
 */
async function selectCompletions(
  path: string,
  limit: number,
): Promise<{ rows: CompletionRow[]; total: number }> {
  const seen = new Map<unknown, number>()
  let kept: { row: CompletionRow; block: number }[] = []
  let every = 1
  let total = 0
  const thin = (): void => {
    every *= 2
    kept = kept.filter(({ block }) => block % every === 0)
  }
  await eachLine(path, row => {
    total++
    const place = seen.get(row.stage) ?? 0
    seen.set(row.stage, place + 1)
    const block = Math.floor(place / BLOCK)
    if (block % every !== 0) return
    kept.push({ row: row as CompletionRow, block })
    if (kept.length >= 2 * limit) thin()
  })
  // The first block of every stage stays, however small the limit.
  const first = (): boolean => kept.every(({ block }) => block === 0)
  while (kept.length > limit && !first()) thin()
  return { rows: kept.slice(0, limit).map(({ row }) => row), total }
}

async function eachLine(path: string, use: (row: Record<string, unknown>) => void): Promise<void> {
  if (!existsSync(path)) return
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity })
  let number = 0
  let pending: string | null = null
  const parse = (line: string): void => {
    number++
    try {
      use(row(line))
    } catch (cause) {
      throw new KogrpoError('E_REPORT', joined([`${path}:${number}`, failure(cause)], ': '), {
        cause,
      })
    }
  }
  for await (const line of lines) {
    if (pending !== null) parse(pending)
    pending = line
  }
  // The last line may be half written by a run that is still under way.
  try {
    if (pending) use(row(pending))
  } catch {
    return
  }
}

/** A line's object. Throws `Error` for anything else. */
function row(line: string): Record<string, unknown> {
  const value = parseForeignJson(line)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new Error('the line is no JSON object')
}

function readJson(path: string): unknown {
  try {
    return parseForeignJson(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new KogrpoError(
      'E_REPORT',
      phrase('cannot read {path}: {reason}', { path, reason: failure(cause) }),
      { cause },
    )
  }
}

/** Where a run's report page lies. */
export function reportPath(directory: string): string {
  return join(directory, 'report.html')
}
