/** The judge programs that come with the package. */
import { checkMiniAnswer } from '../../mini/checker.ts'
import { ProgramRegistry } from './program.ts'

/** Registry with `mini`, the exact judge of the miniature's problems. */
export function builtinPrograms(): ProgramRegistry {
  return new ProgramRegistry().register('mini', ({ question, reference, answer, columns }) => {
    const unit = typeof columns.unit === 'string' ? columns.unit : undefined
    return checkMiniAnswer({ question, answer: reference, unit }, answer).verdict
  })
}
