/**
 * Where a command is to write, looked at before it computes: hours must not end with a directory that cannot be
 * written to, and nothing of the user's is replaced unasked.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Options } from 'yargs'
import { KogrpoError } from '../errors.ts'
import { failure, joined, type Phrase, phrase } from '../messages/phrase.ts'

function refuse(path: string, problem: Phrase, cause?: unknown): never {
  throw new KogrpoError('E_OUTPUT', joined([`--output ${path}`, problem], ': '), { cause })
}

/** Whether both paths name one file. */
function sameFile(a: string, b: string): boolean {
  try {
    return a !== '-' && b !== '-' && realpathSync(a) === realpathSync(b)
  } catch {
    // What is not there is another file than any, save by its name.
    return resolve(a) === resolve(b)
  }
}

/** Makes sure that `path` is none of the files that the command reads or writes besides. Throws `E_OUTPUT`. */
export function requireOther(option: string, path: string, others: readonly string[]): void {
  const same = path === '-' ? undefined : others.find(other => sameFile(other, path))
  if (same === undefined) return
  throw new KogrpoError(
    'E_OUTPUT',
    phrase('--{option} {path} is the same file as {other}; name another', {
      ...{ option, path, other: same },
    }),
  )
}

/** Makes sure that a file can be made beside `path`, and its directory with it. Throws `E_OUTPUT`. */
function requireWritable(path: string): void {
  const trial = `${path}.partial`
  try {
    mkdirSync(dirname(resolve(path)), { recursive: true })
    const before = existsSync(trial)
    closeSync(openSync(trial, 'a'))
    if (!before) rmSync(trial)
  } catch (cause) {
    refuse(path, phrase('cannot be written: {reason}', { reason: failure(cause) }), cause)
  }
}

/** Makes sure that the file `path` can be written when the work is done. Throws `E_OUTPUT`. */
export function requireOutputFile(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) {
    refuse(path, phrase('is a directory; name a file in it'))
  }
  requireWritable(path)
}

/** The option by which a command may replace a model. */
export const overwriteOption = {
  type: 'boolean',
  describe: 'Replace the model that is there',
} as const satisfies Options

/**
 * Makes sure that a model can be written to the directory `path`: it is not `source`, which is read meanwhile,
 * and there is nothing in it that `overwrite` would have to permit. Throws `E_OUTPUT`.
 */
export function requireOutputModel(path: string, source: string, overwrite: boolean): void {
  const there = existsSync(path)
  if (there && existsSync(source) && realpathSync(path) === realpathSync(source)) {
    refuse(path, phrase('is the model that is read; name another directory'))
  }
  if (there && !statSync(path).isDirectory()) refuse(path, phrase('is a file; name a directory'))
  if (there && !overwrite && readdirSync(path).length > 0) {
    refuse(
      path,
      phrase('is not empty; name another directory, or add --overwrite to replace a model'),
    )
  }
  requireWritable(path)
}
