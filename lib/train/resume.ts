/**
 * Where a run stands between two optimizer steps, and how it is taken up again, to the bit: weights in
 * fp32, AdamW's moments and step count, the reference model, the position in the data, the evaluations made
 * so far. Random numbers need no state: they are functions of seed, sequence and position.
 *
 * A state is a directory `checkpoints/state-<stage>-<step>-<evaluations>` of the run, written under
 * another name and renamed when it is complete; then earlier ones are removed. One name has one content.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Mixture } from '../data/mixture.ts'
import { KogrpoError } from '../errors.ts'
import { whyUnwritable } from '../file-errors.ts'
import { failure, joined, phrase } from '../messages/phrase.ts'
import type { StageName } from '../report/events.ts'
import type { RunState, SavedState } from './run-state.ts'
import type { Session } from './session.ts'

/** Stages in the order in which they run. */
export const STAGES: readonly StageName[] = ['pretrain', 'sft', 'grpo']

const WEIGHTS = 'engine.bin'
const STATE = 'state.json'

/** Saves the session's last boundary; returns the directory, or null before the first boundary. */
export async function saveState(session: Session): Promise<string | null> {
  const { boundary, engine, config, outcomes, ranks } = session
  if (!boundary) return null
  const parent = join(config.output_dir, 'checkpoints')
  const name = `state-${boundary.stage}-${boundary.step}-${outcomes.size}`
  const partial = join(parent, `.${name}.partial`)
  const path = join(parent, name)
  const label = `saved state ${name}`
  if (await ranks.once(label, async () => existsSync(join(path, STATE)))) return path
  const state: RunState = { version: 1, ...boundary, outcomes: [...outcomes] }
  try {
    await ranks.once(`${label}, its directory`, async () => {
      await rm(partial, { recursive: true, force: true })
      await mkdir(partial, { recursive: true })
    })
    await engine.saveState(join(partial, WEIGHTS))
    await ranks.once(`${label}, written`, async () => {
      await writeFile(join(partial, STATE), JSON.stringify(state), { flush: true })
      await rename(partial, path)
      for (const other of await readdir(parent)) {
        if (other.startsWith('state-') && other !== name) {
          await rm(join(parent, other), { recursive: true })
        }
      }
    })
  } catch (cause) {
    throw new KogrpoError(
      'E_CHECKPOINT',
      phrase("cannot save the run's state: {reason}", { reason: whyUnwritable(cause) }),
      {
        cause,
      },
    )
  }
  return path
}

/** The latest state of the run in `directory`. Throws `E_RESUME` if there is none. */
export async function findState(directory: string): Promise<SavedState> {
  const parent = join(directory, 'checkpoints')
  const names = await readdir(parent).catch(() => [])
  const states: SavedState[] = []
  for (const name of names.filter(name => name.startsWith('state-'))) {
    const path = join(parent, name)
    try {
      const state = JSON.parse(await readFile(join(path, STATE), 'utf8')) as RunState
      if (state.version === 1) states.push({ ...state, path })
    } catch (cause) {
      throw new KogrpoError('E_RESUME', joined([join(path, STATE), failure(cause)], ': '), {
        cause,
      })
    }
  }
  const later = (a: SavedState, b: SavedState): number =>
    STAGES.indexOf(b.stage) - STAGES.indexOf(a.stage) ||
    b.step - a.step ||
    b.outcomes.length - a.outcomes.length
  const latest = states.sort(later)[0]
  if (!latest) {
    throw new KogrpoError(
      'E_RESUME',
      phrase(
        '{directory} has no saved state to resume (a run saves one when it is stopped, and every save_steps); start it again with: npx kogrpo train {config} --overwrite',
        { directory, config: join(directory, 'config.json') },
      ),
    )
  }
  return latest
}

/**
 * Prepares the engine for a stage: fresh moments, or the saved state if the run was stopped in this
 * stage. Returns the first step to make and the tokens seen before it.
 */
export async function beginStage<T>(
  session: Session,
  stage: StageName,
  mixture: Mixture<T>,
): Promise<{ first: number; seen: number }> {
  const { engine, resumed } = session
  if (resumed?.stage !== stage) {
    await engine.resetOptimizer()
    return { first: 1, seen: 0 }
  }
  await engine.loadState(join(resumed.path, WEIGHTS))
  mixture.restore(resumed.mixture)
  session.resumed = null
  return { first: resumed.step + 1, seen: resumed.num_tokens }
}
