/**
 * What a client may ask for, in OpenAI's words. Parameters that this server does not do are refused by
 * name, never ignored; those whose neutral value means "off" are accepted at that value.
 */
import { z } from 'zod'

/** The most log-probs a position may have (OpenAI's limit for chat). */
const MAX_TOP_LOGPROBS = 20
const MAX_CHOICES = 128

const off = (...neutral: unknown[]) =>
  z
    .custom<unknown>(
      value =>
        value === undefined ||
        value === null ||
        neutral.some(n => JSON.stringify(n) === JSON.stringify(value)),
      'is not supported by this server; leave it out',
    )
    .optional()

const sampling = {
  model: z.string().optional(),
  temperature: z.number().min(0).max(100).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(-1).max(0x7fff_ffff).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  seed: z.int().nullish(),
  n: z.int().min(1).max(MAX_CHOICES).nullish(),
  stop: z
    .union([z.string().min(1).max(1024), z.array(z.string().min(1).max(1024)).max(16)])
    .nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  user: z.string().optional(),
  presence_penalty: off(0),
  frequency_penalty: off(0),
  logit_bias: off({}),
}

export const completionRequest = z.strictObject({
  ...sampling,
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(z.int().min(0)).min(1),
    z.array(z.array(z.int().min(0)).min(1)).min(1),
  ]),
  max_tokens: z.int().min(0).nullish(),
  logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).nullish(),
  echo: z.boolean().nullish(),
  best_of: off(1),
  suffix: off(''),
})

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() })
/** Loose: what else a message has is the chat template's to read. */
const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), z.array(textPart)]).nullish(),
  reasoning_content: z.string().nullish(),
})

export const chatRequest = z.strictObject({
  ...sampling,
  messages: z.array(message).min(1),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).nullish(),
  chat_template_kwargs: z.strictObject({ enable_thinking: z.boolean().optional() }).nullish(),
  response_format: off({ type: 'text' }),
  tools: off([]),
  tool_choice: off('none'),
  parallel_tool_calls: off(),
})

export type CompletionRequest = z.infer<typeof completionRequest>
export type ChatRequest = z.infer<typeof chatRequest>
export type SamplingRequest = Pick<
  CompletionRequest,
  'temperature' | 'top_p' | 'top_k' | 'min_p' | 'seed' | 'n' | 'stop'
>
