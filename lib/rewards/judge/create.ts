/** The judge that a recipe's `oracle.judge` describes. */

import type { JudgeSpec } from '../../config/schema/oracle.ts'
import type { DeviceName } from '../../engine/device.ts'
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import { cachedJudge } from './cached.ts'
import { openLocalJudge } from './local.ts'
import { openAiJudge } from './openai.ts'
import type { ProgramRegistry } from './program.ts'
import { VerdictStore } from './store.ts'
import type { Judge, KeyedJudge } from './types.ts'

interface JudgeContext {
  programs: ProgramRegistry
  /** The program of the data source, used when the recipe names none. */
  defaultProgram?: string | undefined
  /** Where verdicts are kept when the recipe does not say. */
  cacheFile: string
  /** The directory that a model path of a recipe means. */
  modelPath: (path: string) => string
  threads?: number | undefined
  device?: DeviceName | undefined
  /** Supplies the key of an endpoint (default: the process's). */
  environment?: Record<string, string | undefined> | undefined
}

/** Opens the judge; the caller closes it. Throws `E_CONFIG`, and for a local judge what its files say. */
export async function openJudge(spec: JudgeSpec, context: JudgeContext): Promise<Judge> {
  if (spec.kind === 'program') {
    const name = spec.name ?? context.defaultProgram
    if (name === undefined) {
      throw new KogrpoError(
        'E_CONFIG',
        phrase(
          'oracle.judge is of kind program but has no name, and the data source brings no program',
        ),
      )
    }
    return context.programs.judge(name)
  }
  const judge: KeyedJudge =
    spec.kind === 'openai'
      ? openAiJudge(spec, context.environment)
      : await openLocalJudge(spec, { ...context, directory: context.modelPath(spec.path) })
  if (!spec.cache) return judge
  try {
    return cachedJudge(judge, new VerdictStore(spec.cache_file ?? context.cacheFile))
  } catch (error) {
    await judge.close()
    throw error
  }
}
