/** Held-out evaluation between the stages. */
import * as z from 'zod'
import { sources } from './source.ts'
import { count, countOrZero, nonNegative } from './values.ts'

export const evaluation = z.strictObject({
  data: sources.describe('held-out problems with an answer column'),
  max_samples: count.default(500).describe('number of problems, taken from the front'),
  temperature: nonNegative.default(0).describe('sampling temperature (0 = greedy)'),
  top_k: countOrZero.default(0).describe('sample among the k likeliest tokens (0 = all)'),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe('sample among the likeliest tokens that hold this much probability'),
  max_completion_length: count.default(512).describe('longest completion in tokens'),
  batch_size: count.optional().describe('completions generated at a time (default: as fits)'),
  samples_to_show: countOrZero.default(3).describe('completions of one problem shown at the end'),
})
