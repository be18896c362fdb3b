/**
 * Saved states on the disk: finding the one to go on from. A state is taken only when every byte of it
 * is as it was written; a damaged one is an error that names the file, or, where the caller asks for
 * it (`--resume auto`), is passed over for the one before.
 */
import { readdir, readFile, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { removeDirectory, sweepDirectory } from '../durable/files.ts'
import { readSums, verifySums } from '../durable/sums.ts'
import { KogrpoError, messageOf } from '../errors.ts'
import { whyUnreadable } from '../file-errors.ts'
import { failure, joined, phrase } from '../messages/phrase.ts'
import type { StageName } from '../report/events.ts'
import { shellWord } from '../shell-word.ts'
import { parseRunState, type RunState, type SavedState } from './run-state.ts'
import { partsOf } from './state-parts.ts'

/** Stages in the order in which they run. */
export const STAGES: readonly StageName[] = ['pretrain', 'sft', 'grpo']

/** Files of a saved state; ranks write the first in parts (state-parts.ts). */
export const WEIGHTS_FILE = 'engine.bin'
export const STATE_FILE = 'state.json'

const NAME = /^state-(pretrain|sft|grpo)-(\d+)-(\d+)$/

/** The name of a state: stage, step, evaluations made by then. One name has one content. */
export function stateName(stage: StageName, step: number, outcomes: number): string {
  return `state-${stage}-${step}-${outcomes}`
}

/** Paths of the states of a run, the latest first. */
export async function statePaths(directory: string): Promise<string[]> {
  const parent = join(directory, 'checkpoints')
  const names: string[] = await readdir(parent).catch(() => [])
  const order = (name: string): number[] => {
    const [, stage, ...numbers] = NAME.exec(name)!
    return [STAGES.indexOf(stage as StageName), ...numbers.map(Number)]
  }
  const later = (a: string, b: string): number => {
    const [left, right] = [order(a), order(b)]
    const at = left.findIndex((value, i) => value !== right[i])
    return at < 0 ? 0 : right[at]! - left[at]!
  }
  return names
    .filter(name => NAME.test(name))
    .sort(later)
    .map(name => join(parent, name))
}

/** The states of a run without their weights, unverified ones left out, the latest first. */
export async function listStates(directory: string): Promise<RunState[]> {
  const states: RunState[] = []
  for (const path of await statePaths(directory)) {
    const state = await readState(path, [STATE_FILE]).catch(() => null)
    if (state) states.push(state)
  }
  return states
}

/** Verifies that a state is as it was written, all of it or the files `checked`. Throws `E_CHECKPOINT`. */
async function verifyState(path: string, checked?: readonly string[]): Promise<void> {
  const parts = partsOf(WEIGHTS_FILE, (await readSums(path)).keys())
  await verifySums(path, [STATE_FILE, ...parts], checked)
}

/** Reads one state whose `checked` files are verified. Throws `E_RESUME` naming the file. */
async function readState(path: string, checked?: readonly string[]): Promise<SavedState> {
  try {
    await verifyState(path, checked)
  } catch (cause) {
    throw new KogrpoError('E_RESUME', failure(cause), { cause })
  }
  const file = join(path, STATE_FILE)
  try {
    const state = parseRunState(await readFile(file, 'utf8'))
    const name = stateName(state.stage, state.step, state.outcomes.length)
    if (name !== basename(path)) throw new Error(`it is of ${name}, not of ${basename(path)}`)
    return { ...state, path }
  } catch (cause) {
    throw new KogrpoError('E_RESUME', joined([file, failure(cause)], ': '), { cause })
  }
}

/**
 * Makes the checkpoints of a run those of the moment when `state` had been saved, `keep` of the stage's states
 * among them: later states go, damaged ones are kept under the name `damaged-…` for whoever wants to look at
 * them; so goes what a killed process had half written, and the states that it had not come to remove.
 */
export async function returnTo(directory: string, state: SavedState, keep: number): Promise<void> {
  await sweepDirectory(join(directory, 'checkpoints'))
  const paths = await statePaths(directory)
  const at = paths.findIndex(path => basename(path) === basename(state.path))
  for (const path of paths.slice(0, Math.max(at, 0))) {
    const whole = await verifyState(path).then(
      () => true,
      () => false,
    )
    if (whole) await removeDirectory(path)
    else await rename(path, join(dirname(path), `damaged-${basename(path)}`))
  }
  await pruneStates(directory, keep)
}

/** Removes all but the `keep` latest states of a run. */
export async function pruneStates(directory: string, keep: number): Promise<void> {
  for (const path of (await statePaths(directory)).slice(keep)) await removeDirectory(path)
}

/** Throws `E_RESUME` unless there is a directory of a run. */
async function requireRun(directory: string): Promise<void> {
  const names = await readdir(directory).catch(cause => {
    const problem = joined([directory, whyUnreadable(directory, cause)], ': ')
    throw new KogrpoError('E_RESUME', problem, { cause })
  })
  if (names.includes('summary.json')) {
    throw new KogrpoError(
      'E_RESUME',
      phrase(
        'the run in {path} is finished (summary.json is there), and left no state to go on from; to train it further, start a recipe from its model, with another --output-dir',
        { path: directory },
      ),
    )
  }
  if (names.includes('config.json')) return
  throw new KogrpoError(
    'E_RESUME',
    phrase(
      '{path} has no config.json, so it is not the directory of a run; name a directory such as runs/mini-…',
      { path: directory },
    ),
  )
}

/**
 * The latest state of the run in `directory`, or the one that it is itself. With `earlier` a damaged
 * one is passed over for the one before; without, it is an error that names the file. Throws
 * `E_RESUME`, also if there is none.
 */
export async function findState(
  directory: string,
  options: { earlier?: boolean } = {},
): Promise<SavedState> {
  if (NAME.test(basename(directory))) return await readState(directory)
  const paths = await statePaths(directory)
  if (paths.length === 0) await requireRun(directory)
  const config = shellWord(join(directory, 'config.json'))
  const passed: string[] = []
  for (const [i, path] of paths.entries()) {
    try {
      return { ...(await readState(path)), passed }
    } catch (error) {
      const others = paths.slice(i + 1)
      if (!options.earlier) {
        const remedy =
          others.length > 0
            ? phrase('an earlier state can be taken up: npx kogrpo train --resume {path}', {
                path: shellWord(others[0]!),
              })
            : phrase(
                'there is no earlier state. Put it back from a copy (sha256sum -c SHA256SUMS checks it), or start the run again: npx kogrpo train {config} --overwrite',
                { config },
              )
        throw new KogrpoError('E_RESUME', joined([failure(error), remedy], '; '), { cause: error })
      }
      passed.push(messageOf(error))
    }
  }
  if (passed.length > 0) {
    throw new KogrpoError(
      'E_RESUME',
      phrase(
        '{directory} has no saved state that is whole:\n{problems}\nPut one back from a copy, or start the run again: npx kogrpo train {config} --overwrite',
        { directory, problems: passed.join('\n'), config },
      ),
    )
  }
  throw new KogrpoError(
    'E_RESUME',
    phrase(
      '{directory} has no saved state to resume (a run saves one when it is stopped, and every save_steps); start it again with: npx kogrpo train {config} --overwrite',
      { directory, config },
    ),
  )
}
