/** The options of `kogrpo eval`. */
import type { Options } from 'yargs'
import { isEndpoint } from '../config/schema/oracle.ts'
import { phrase } from '../messages/phrase.ts'
import { UsageError } from './errors.ts'
import { modelOptions } from './open-model.ts'
import { nonEmpty, oneOf, sharedOptions, wholeNumber } from './options.ts'
import { recordOptions } from './record-job.ts'
import { samplingOptions } from './sampling-options.ts'

/** Reads an option that takes an endpoint. */
const endpointUrl =
  (option: string) =>
  (word: string | undefined): string | undefined => {
    if (word === undefined || isEndpoint(word)) return word
    throw new UsageError(
      phrase(
        '--{option}: expected a URL such as http://localhost:8000/v1, without user, password or query, got "{word}"',
        { option, word },
      ),
    )
  }

const text = { type: 'string', requiresArg: true } as const
const named = (option: string, describe: string) => ({
  ...text,
  describe,
  coerce: nonEmpty(option),
})
const whole = (option: string, minimum: number, describe: string, maximum = 0x7fff_ffff) => ({
  ...text,
  describe,
  coerce: wholeNumber(option, minimum, maximum),
})

export const evalOptions = {
  benchmark: named('benchmark', 'Name of the benchmark [required]'),
  data: named('data', 'Its directory or file, as published [required]'),
  output: { ...recordOptions.output, describe: 'JSONL file of rows to write [required]' },
  ...modelOptions,
  model: { ...modelOptions.model, describe: 'Hugging Face model directory, or builtin:mini' },
  endpoint: {
    ...text,
    describe: 'OpenAI-compatible endpoint instead, e.g. http://localhost:8000/v1',
    coerce: endpointUrl('endpoint'),
  },
  'endpoint-model': named('endpoint-model', 'Model name sent to the endpoint'),
  'api-key-env': named('api-key-env', 'Environment variable that holds the key of the endpoint'),
  timeout: whole(
    'timeout',
    1,
    'Seconds that one reply of the endpoint may take [default: 600]',
    2_000_000,
  ),
  concurrency: whole('concurrency', 1, 'Requests in flight at the endpoint [default: 16]', 4096),
  split: named('split', "Part of the data to ask [default: the benchmark's]"),
  limit: whole('limit', 1, 'Questions of each subset [default: all]'),
  mode: {
    ...text,
    describe: 'Of multiple choice: likelihood or generation [default: likelihood]',
    coerce: oneOf('mode', ['likelihood', 'generation']),
  },
  'num-fewshot': whole('num-fewshot', 0, 'Examples above each question [default: 0]', 1000),
  'fewshot-data': named('fewshot-data', 'File of examples [default: the few-shot split of --data]'),
  compat: {
    ...text,
    describe: "hret: the HAE-RAE toolkit's prompts, extraction and matching [default: none]",
    coerce: oneOf('compat', ['none', 'hret']),
  },
  judge: named('judge', 'Recipe whose grpo.oracle.judge decides what is right'),
  'num-samples': whole('num-samples', 1, 'Samples of each question [default: 1]', 65536),
  ...samplingOptions,
  temperature: {
    ...samplingOptions.temperature,
    describe: 'Logits are divided by it; 0 takes the likeliest token [default: 0; 0.6 for samples]',
  },
  'max-new-tokens': {
    ...samplingOptions['max-new-tokens'],
    describe: "Longest completion; the model's context ends it too [default: 2048]",
  },
  'enable-thinking': {
    type: 'boolean',
    describe: 'Passed to the chat template; --no-enable-thinking asks for no thinking',
  },
  system: named('system', 'System message'),
  'max-sequences': whole('max-sequences', 1, 'Completions running at once [default: 256]', 65536),
  ...sharedOptions('seed', 'threads', 'device'),
} as const satisfies Record<string, Options>
