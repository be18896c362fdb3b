/**
 * The run directory: config.json (everything resolved; itself a recipe that can be run again),
 * metrics.jsonl, completions.jsonl, summary.json, report.html, and the checkpoints pretrain/, sft/ and rl/.
 * A directory that holds anything is refused, so that no run is overwritten or mixed with another.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Recipe } from '../config/schema.ts'
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

function clear(path: string, entries: readonly string[]): void {
  if (!entries.includes('config.json')) {
    throw new KogrpoError(
      'E_OUTPUT_DIR',
      phrase(
        '{path} has no config.json, so it is not the directory of an earlier run; --overwrite leaves it alone. Choose another --output-dir',
        { path },
      ),
    )
  }
  for (const entry of entries) {
    if (OWN_NAMES.has(entry)) rmSync(join(path, entry), { recursive: true })
  }
}

/**
 * Makes the directory `config.output_dir` and writes config.json there. With `overwrite`, what an
 * earlier run left there is removed first (its own files only).
 * Errors: `E_OUTPUT_DIR` when it holds something and `overwrite` is not given, or cannot be made.
 */
export function createRunDirectory(
  config: Recipe,
  options: { overwrite?: boolean } = {},
): RunDirectory {
  const path = config.output_dir
  let entries: string[] = []
  try {
    if (existsSync(path)) entries = readdirSync(path).sort()
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
    clear(path, entries)
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
  const lines = readFileSync(path, 'utf8').split('\n')
  const kept = lines.slice(0, -1).filter((line, i) => {
    try {
      return keep(JSON.parse(line) as Record<string, unknown>)
    } catch (cause) {
      throw new KogrpoError('E_REPORT', joined([`${path}:${i + 1}`, failure(cause)], ': '), {
        cause,
      })
    }
  })
  const partial = `${path}.partial`
  writeFileSync(partial, kept.map(line => `${line}\n`).join(''))
  renameSync(partial, path)
}
