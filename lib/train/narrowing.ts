/** The warning that a policy becomes narrower instead of more able (lib/algorithms/narrowing.ts). */

import { FRESH_NARROWING, type NarrowingState, observeNarrowing } from '../algorithms/narrowing.ts'
import type { GrpoStage } from '../config/schema.ts'
import type { Readiness } from '../eval/readiness.ts'
import { phrase } from '../messages/phrase.ts'
import { note } from '../report/events.ts'
import type { Reporter } from '../report/reporter.ts'

/** The state after a round; says so where the policy has begun to narrow. */
export function watchNarrowing(
  state: NarrowingState | undefined,
  stage: GrpoStage,
  step: number,
  { pass_at_1, pass_at_k, num_generations: k }: Readiness,
  reporter: Reporter,
): NarrowingState | undefined {
  if (stage.narrowing.action === 'off' || pass_at_1 === null || pass_at_k === null) return state
  const before = state ?? FRESH_NARROWING
  const seen = observeNarrowing(before, pass_at_1, pass_at_k, stage.narrowing)
  if (seen.narrows) {
    const percent = (value: number): string => `${(100 * value).toFixed(1)} %`
    const { peak } = seen.state
    reporter.emit(
      note(
        'warning',
        phrase(
          'step {step}: the policy narrows: pass@1 rose from {low} to {high} while pass@{k} fell from {best} to {now} (moving averages). beta above 0 (with ref_reset_steps) keeps solutions open; kogrpo eval diversity measures it',
          {
            step,
            k,
            low: percent(peak!.pass_at_1),
            high: percent(seen.state.pass_at_1),
            best: percent(peak!.pass_at_k),
            now: percent(seen.state.pass_at_k),
          },
        ),
      ),
    )
  }
  return seen.state
}
