/**
 * The run directory: config.json (everything resolved; itself a recipe that can be run again),
 * metrics.jsonl, completions.jsonl, summary.json, report.html, and the checkpoints pretrain/, sft/ and rl/.
 * A directory that holds anything is refused, so that no run is overwritten or mixed with another.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Recipe } from '../config/schema.ts'
import { type Claim, claim } from '../durable/claim.ts'
import { KogrpoError } from '../errors.ts'
import { whyUnwritable } from '../file-errors.ts'
import { failure, joined, phrase } from '../messages/phrase.ts'

/** All that a run writes. `overwrite` removes these and nothing else. */
const OWN_NAMES = new Set([
  'config.json',
  'metrics.jsonl',
  'completions.jsonl',
  'summary.json',
  'report.html',
  'tensorboard',
  'checkpoints',
  'nonfinite',
  'pretrain',
  'sft',
  'rl',
])

/** Names the process that is at work in a run directory, while it is. */
const IN_USE = '.in-use.json'

/** Claims a run directory that exists for this process (see durable/claim.ts). */
export function claimRunDirectory(path: string): Claim {
  return claim(path, join(path, IN_USE))
}

export interface RunDirectory {
  path: string
  config: string
  metrics: string
  completions: string
  summary: string
}

/** Writes a JSON file whole or not at all: under another name first, then renamed. */
export function writeJson(path: string, value: unknown): void {
  const partial = `${path}.partial`
  try {
    writeFileSync(partial, `${JSON.stringify(value, null, 2)}\n`)
    renameSync(partial, path)
  } catch (cause) {
    throw new KogrpoError(
      'E_REPORT',
      phrase('cannot write {path}: {reason}', { path, reason: whyUnwritable(cause) }),
      { cause },
    )
  }
}

/** Whether config.json is a recipe, as a run writes it: that of a model has the same name. */
function isRecipe(file: string): boolean {
  try {
    const config: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return typeof config === 'object' && config !== null && !('model_type' in config)
  } catch {
    // Cut off by a kill or a full disk: a run's own, since a model's is not written so.
    return true
  }
}

function requireEarlierRun(path: string, entries: readonly string[]): void {
  if (entries.includes('config.json') && isRecipe(join(path, 'config.json'))) return
  throw new KogrpoError(
    'E_OUTPUT_DIR',
    phrase(
      '{path} has no config.json of a run, so it is not the directory of an earlier run; --overwrite leaves it alone. Choose another --output-dir',
      { path },
    ),
  )
}

/**
 * Makes the directory `config.output_dir` and writes config.json there. With `overwrite`, what an
 * earlier run left there is removed first (its own files only). `take` is called before anything is
 * removed or written.
 * Errors: `E_OUTPUT_DIR` when it holds something and `overwrite` is not given, or cannot be made.
 */
export function createRunDirectory(
  config: Recipe,
  options: { overwrite?: boolean; take?: (path: string) => unknown } = {},
): RunDirectory {
  const path = config.output_dir
  let entries: string[] = []
  try {
    if (existsSync(path))
      entries = readdirSync(path)
        .filter(name => name !== IN_USE)
        .sort()
    else mkdirSync(path, { recursive: true })
  } catch (cause) {
    throw new KogrpoError(
      'E_OUTPUT_DIR',
      phrase('cannot use {path} as the run directory: {reason}. Choose another --output-dir', {
        path,
        reason: failure(cause),
      }),
      { cause },
    )
  }
  if (entries.length > 0) {
    if (!options.overwrite) {
      const some = entries.slice(0, 4).join(', ') + (entries.length > 4 ? ', …' : '')
      throw new KogrpoError(
        'E_OUTPUT_DIR',
        phrase(
          'the run directory {path} is not empty (it holds {some}); choose another --output-dir, or add --overwrite to replace the earlier run',
          { path, some },
        ),
      )
    }
    requireEarlierRun(path, entries)
  }
  options.take?.(path)
  for (const entry of entries) {
    if (OWN_NAMES.has(entry)) rmSync(join(path, entry), { recursive: true })
  }
  const directory = runDirectory(path)
  writeJson(directory.config, config)
  return directory
}

/**
 * Takes back a run directory in which nothing was made yet, so that a run which was refused over its
 * data can be started again as it was.
 */
export function discardRunDirectory({ path, config }: RunDirectory): void {
  if (!existsSync(path) || readdirSync(path).some(name => name !== 'config.json')) return
  rmSync(config, { force: true })
  rmdirSync(path)
}

/** The files of a run directory. */
export function runDirectory(path: string): RunDirectory {
  return {
    path,
    config: join(path, 'config.json'),
    metrics: join(path, 'metrics.jsonl'),
    completions: join(path, 'completions.jsonl'),
    summary: join(path, 'summary.json'),
  }
}

/**
 * Keeps only the lines of a JSONL file that `keep` accepts, and drops a last line that was not
 * finished: what a run wrote after the state that it is resumed from. Errors: `E_REPORT`.
 */
export function trimLines(path: string, keep: (row: Record<string, unknown>) => boolean): void {
  if (!existsSync(path)) return
  const partial = `${path}.partial`
  try {
    const [from, to] = [openSync(path, 'r'), openSync(partial, 'w')]
    try {
      let number = 0
      for (const line of finishedLines(from)) {
        number++
        if (keep(parsedLine(line, `${path}:${number}`))) writeSync(to, line)
      }
    } finally {
      closeSync(from)
      closeSync(to)
    }
    renameSync(partial, path)
  } catch (cause) {
    if (cause instanceof KogrpoError) throw cause
    throw new KogrpoError(
      'E_REPORT',
      phrase('cannot write {path}: {reason}', { path, reason: whyUnwritable(cause) }),
      { cause },
    )
  }
}

/** The lines of a file with their ends, a chunk in memory at a time; a last one without its end is left out. */
function* finishedLines(descriptor: number): Generator<Buffer> {
  const chunk = Buffer.alloc(1 << 20)
  let rest: Buffer = Buffer.alloc(0)
  for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk)) {
    rest = Buffer.concat([rest, chunk.subarray(0, read)])
    let from = 0
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, from)) {
      yield rest.subarray(from, end + 1)
      from = end + 1
    }
    rest = rest.subarray(from)
  }
}

function parsedLine(line: Buffer, place: string): Record<string, unknown> {
  try {
    return JSON.parse(line.toString()) as Record<string, unknown>
  } catch (cause) {
    throw new KogrpoError('E_REPORT', joined([place, failure(cause)], ': '), { cause })
  }
}
