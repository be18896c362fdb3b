/** How long each phase of a run may be silent. */
import * as z from 'zod'
import { nonNegative } from './values.ts'

const limit = (what: string) => nonNegative.default(3600).describe(what)

export const watchdog = z.strictObject({
  rollout: limit('sampling: no further token'),
  reward: limit('reward functions'),
  judge: limit('the judge: no further verdict'),
  update: limit('forward, backward, optimizer, loading'),
  save: limit('checkpoints'),
  eval: limit('evaluation: no further token'),
})
