/** The oracle: how a judge corrects the checker of the accuracy reward, and who judges. */
import * as z from 'zod'
import { DTYPES } from '../../engine/device.ts'
import { english } from '../../messages/phrase.ts'
import { count, countOrZero, fraction, name, positive, seed } from './values.ts'

/** An http or https URL without user, password, query or fragment: none of them is a secret's place. */
/** Whether a text is an endpoint's URL, without a key or anything else that is not for logs. */
export function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === ''
}

/** Keys that judges share which are language models. */
const prompted = (max_tokens: number) => ({
  name: name.optional().describe('what to call this judge in the logs'),
  max_tokens: count
    .default(max_tokens)
    .describe('tokens the judge may write, its thinking included'),
  seed: seed.default(0).describe('sent with each question; also makes the fences and the jitter'),
  instruction: z
    .string()
    .optional()
    .describe('replaces the grading instruction, the system message (empty: none)'),
  template: name
    .optional()
    .describe('replaces the question: text with {reference}, {answer}, {question}, {nonce}'),
  see_thinking: z
    .boolean()
    .default(false)
    .describe('show the judge the thinking as well (a template then needs {thinking})'),
  cache: z.boolean().default(true).describe('keep verdicts on disk, by the hash of what was asked'),
  cache_file: name
    .optional()
    .describe('where verdicts are kept (default: judge-cache.jsonl in the run directory)'),
})

const program = z.strictObject({
  kind: z
    .literal('program')
    .describe('a function of the task, an OpenAI-compatible endpoint, or a second model here'),
  name: name.optional().describe('which program (default: the one of the data source)'),
})

export const openAiJudgeSchema = z.strictObject({
  kind: z.literal('openai'),
  base_url: z
    .string()
    .refine(isEndpoint, {
      error: english(
        'expected a URL such as http://localhost:8000/v1, without user, password or query (a key belongs in api_key_env or api_key_file)',
      ),
    })
    .describe('endpoint, e.g. http://localhost:8000/v1'),
  model: name.describe('model name sent to the endpoint; in the cache it stands for the model'),
  api_key_env: name.optional().describe('name of the environment variable with the key'),
  api_key_file: name.optional().describe('file that holds the key and nothing else'),
  timeout_s: positive.default(120).describe('seconds after which one attempt has failed'),
  max_retries: countOrZero.default(2).describe('further attempts after a failed one'),
  concurrency: count.default(16).describe('judgements in flight at a time'),
  requests_per_minute: count.optional().describe('requests in any minute (default: no limit)'),
  tokens_per_minute: count
    .optional()
    .describe('tokens in any minute, of questions and replies (default: no limit)'),
  breaker_failures: count
    .default(20)
    .describe('failed attempts in a row after which the judge is left alone for a while'),
  breaker_cooldown_s: positive.default(30).describe('how long it is then left alone, in seconds'),
  ...prompted(2048),
})

export const localJudgeSchema = z.strictObject({
  kind: z.literal('local'),
  path: name.describe('Hugging Face directory of the judge, e.g. a checkpoint of another run'),
  dtype: z
    .enum(DTYPES)
    .default('float32')
    .describe("what the judge's products multiply; int8 is smallest, on the CPU only"),
  enable_thinking: z.boolean().default(false).describe('chat template: let the judge think'),
  ...prompted(256),
})

const judge = z.discriminatedUnion('kind', [program, openAiJudgeSchema, localJudgeSchema])

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
    .describe(
      'stop the run, with its state saved, when a larger share of the judgements failed (1 = never)',
    ),
  failure_window: count
    .default(1)
    .describe('rounds of completions over which max_failure_rate is measured'),
})

export type JudgeSpec = z.output<typeof judge>
export type OpenAiJudgeSpec = z.output<typeof openAiJudgeSchema>
export type LocalJudgeSpec = z.output<typeof localJudgeSchema>
export type OracleSpec = z.output<typeof oracle>
