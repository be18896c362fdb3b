/**
 * Taking a run up again, to the bit: the engine's weights and moments, the position in the data, and
 * what the loops need to know. What a state holds: run-state.ts; how it comes onto the disk:
 * save-state.ts; how it is found: find-state.ts; whether it is of this run: same-run.ts.
 */

import { join } from 'node:path'
import type { Mixture, MixtureState } from '../data/mixture.ts'
import { joined, phrase } from '../messages/phrase.ts'
import type { StageName } from '../report/events.ts'
import { note } from '../report/events.ts'
import { WEIGHTS_FILE } from './find-state.ts'
import type { SavedState } from './run-state.ts'
import type { Session } from './session.ts'

/**
 * Prepares the engine for a stage: fresh moments, or the saved state if the run was stopped in this
 * stage. Returns the first step to make, the tokens seen before it, and how many steps before it were
 * skipped in a row.
 */
export async function beginStage<T>(
  session: Session,
  stage: StageName,
  mixture: Mixture<T>,
): Promise<{ first: number; seen: number; skipped: number }> {
  const { engine, resumed } = session
  if (resumed?.stage !== stage) {
    await engine.resetOptimizer()
    return { first: 1, seen: 0, skipped: 0 }
  }
  await engine.loadState(join(resumed.path, WEIGHTS_FILE))
  const changed = session.same.changes.some(({ key }) => key.startsWith(`${stage}.data`))
  mixture.restore(changed ? adopted(resumed.mixture, mixture.state()) : resumed.mixture)
  session.resumed = null
  tell(session, resumed)
  return { first: resumed.step + 1, seen: resumed.num_tokens, skipped: resumed.skipped ?? 0 }
}

/** Where a mixture of other sources stands: those that were there before go on where they were. */
function adopted(saved: MixtureState, now: MixtureState): MixtureState {
  const sources = now.sources.map(source => ({
    ...source,
    drawn: saved.sources.find(({ name }) => name === source.name)?.drawn ?? 0,
  }))
  return { ...now, sources, position: sources.reduce((sum, { drawn }) => sum + drawn, 0) }
}

/** Says what was restored. */
function tell({ reporter }: Session, state: SavedState): void {
  const { stage, step, num_tokens, mixture, outcomes, guards, oracle, judge_cache, path } = state
  const sources = mixture.sources.map(({ name, drawn, size }) =>
    phrase('{source} at sample {at} of {size}, epoch {epoch}', {
      source: name.replace(/^\d+ /, ''),
      at: drawn % size,
      size,
      epoch: Math.floor(drawn / size),
    }),
  )
  const evaluated = outcomes.map(([name]) => name).join(', ')
  const parts = [
    phrase('weights, moments and every hash are those of {stage} step {step}', { stage, step }),
    phrase('{num_tokens} tokens seen', { num_tokens }),
    ...sources,
    ...(evaluated === '' ? [] : [phrase('evaluations {evaluated}', { evaluated })]),
    ...(guards ? [phrase('guards with {count} decisions', { count: guards.records.length })] : []),
    ...(oracle ? [phrase('oracle with {count} verdicts', { count: oracle.calls })] : []),
    ...(judge_cache ? [phrase('judge cache of {bytes} bytes', { bytes: judge_cache.bytes })] : []),
  ]
  for (const problem of state.passed ?? []) {
    reporter.emit(note('warning', phrase('passed over: {problem}', { problem })))
  }
  reporter.emit(
    note('info', phrase('resumed from {path}: {what}', { path, what: joined(parts, '; ') })),
  )
}
