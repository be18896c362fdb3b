/** The oracle: how a judge corrects the checker of the accuracy reward, and who judges. */
import * as z from 'zod'
import { count, countOrZero, fraction, name, positive } from './values.ts'

const judge = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('program').describe('a function of the task, or an OpenAI-compatible endpoint'),
    name: name.optional().describe('which program (default: the one of the data source)'),
  }),
  z.strictObject({
    kind: z.literal('openai'),
    name: name.optional().describe('what to call this judge in the logs'),
    base_url: z.url({ protocol: /^https?$/ }).describe('endpoint, e.g. http://localhost:8000/v1'),
    model: name.describe('model name sent to the endpoint'),
    api_key_env: name.optional().describe('name of the environment variable with the key'),
    timeout_s: positive.default(120).describe('seconds after which one attempt has failed'),
    max_retries: countOrZero.default(2).describe('further attempts after a failed one'),
    concurrency: count.default(16).describe('judgements in flight at a time'),
    max_tokens: count.default(2048).describe('tokens the judge may write, its thinking included'),
    instruction: name.optional().describe('replaces the grading instruction'),
  }),
])

export const oracle = z.strictObject({
  rule: z
    .enum(['none', 'observe', 'override', 'appeal', 'veto', 'both'])
    .default('none')
    .describe(
      'how checker and judge make the accuracy: none = checker alone, observe = checker alone, ' +
        'the judge is asked and logged but decides nothing, override = judge alone, ' +
        "appeal = judge re-examines the checker's failures, veto = its passes, both = wherever it gave a verdict",
    ),
  judge: judge.optional().describe('who judges; required unless rule is none'),
  max_failure_rate: fraction
    .default(0.1)
    .describe('stop the run when a larger share of the judgements of a step failed'),
})

export type JudgeSpec = z.output<typeof judge>
export type OracleSpec = z.output<typeof oracle>
