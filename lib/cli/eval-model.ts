/** Who is evaluated, and who judges: what the options of `kogrpo eval` name, opened. */
import { loadRecipe } from '../config/load.ts'
import { KogrpoError } from '../errors.ts'
import { EndpointBackend } from '../eval/backend/endpoint.ts'
import { EngineBackend } from '../eval/backend/engine.ts'
import type { Backend } from '../eval/backend/types.ts'
import { phrase } from '../messages/phrase.ts'
import { readKey } from '../rewards/judge/key.ts'
import type { Judge } from '../rewards/judge/types.ts'
import type { CliContext } from './context.ts'
import { readMemory } from './memory.ts'
import { type ModelArguments, openModel } from './open-model.ts'

export interface EvalArguments extends Omit<ModelArguments, 'model'> {
  model?: string
  endpoint?: string
  endpointModel?: string
  apiKeyEnv?: string
  concurrency?: number
  timeout?: number
  benchmark: string
  data: string
  output: string
  split?: string
  limit?: number
  mode?: 'likelihood' | 'generation'
  numFewshot?: number
  fewshotData?: string
  compat?: 'none' | 'hret'
  judge?: string
  numSamples?: number
  temperature?: number
  topK?: number
  topP?: number
  minP?: number
  maxNewTokens?: number
  enableThinking?: boolean
  system?: string
  maxSequences?: number
  context: CliContext
}

/** Share of the available memory that keys and values may fill. */
const CACHE_SHARE = 0.5

/** The checkpoint or the endpoint; the caller closes it. */
export async function openBackend(argv: EvalArguments): Promise<Backend> {
  const { model, endpoint, enableThinking, system, maxSequences } = argv
  if (endpoint !== undefined) {
    return new EndpointBackend({
      base_url: endpoint,
      model: argv.endpointModel!,
      key: readKey({ api_key_env: argv.apiKeyEnv }, argv.context.env),
      timeout_s: argv.timeout ?? 600,
      max_retries: 4,
      concurrency: argv.concurrency ?? 16,
      enableThinking,
      system,
    })
  }
  const opened = await openModel({ ...argv, model: model! })
  return new EngineBackend({
    ...opened,
    description: model!,
    enableThinking,
    system,
    maxSequences: maxSequences ?? 256,
    maxCacheBytes: Math.floor(readMemory().available * CACHE_SHARE),
  })
}

/** The judge of the recipe that --judge names. Throws `E_CONFIG` where it has none. */
export async function openJudgeOf(argv: EvalArguments): Promise<Judge | undefined> {
  if (argv.judge === undefined) return undefined
  const { recipe } = loadRecipe(argv.judge)
  const spec = recipe.grpo?.oracle.judge
  if (!spec)
    throw new KogrpoError(
      'E_CONFIG',
      phrase('--judge {judge}: has no grpo.oracle.judge', { judge: argv.judge }),
    )
  const { openJudge } = await import('../rewards/judge/create.ts')
  const { builtinPrograms } = await import('../rewards/judge/programs.ts')
  const { modelPath } = await import('../train/sources.ts')
  return openJudge(spec, {
    programs: builtinPrograms(),
    cacheFile: `${argv.output}.judge-cache.jsonl`,
    modelPath,
    threads: argv.threads,
    device: argv.device,
    environment: argv.context.env,
  })
}
