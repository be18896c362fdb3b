/** The judge that a recipe's `oracle.judge` describes. */
import { KogrpoError } from '../../errors.ts'
import { type OpenAiJudgeOptions, openAiJudge } from './openai.ts'
import type { ProgramRegistry } from './program.ts'
import type { Judge } from './types.ts'

export type JudgeSpec =
  | { kind: 'program'; name?: string | undefined }
  | ({ kind: 'openai'; name?: string | undefined } & OpenAiJudgeOptions)

/**
 * `defaultProgram` is the program of the data source, used when the recipe names none.
 * Throws `E_CONFIG`.
 */
export function createJudge(
  spec: JudgeSpec,
  programs: ProgramRegistry,
  defaultProgram?: string,
): Judge {
  if (spec.kind === 'openai') {
    const { kind: _kind, name: _name, ...options } = spec
    return openAiJudge(options)
  }
  const name = spec.name ?? defaultProgram
  if (name === undefined) {
    throw new KogrpoError(
      'E_CONFIG',
      'oracle.judge is of kind program but has no name, and the data source brings no program',
    )
  }
  return programs.judge(name)
}
