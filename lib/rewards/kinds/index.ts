/**
 * Kinds of accuracy by the name a recipe or a data column uses. A new kind is one line here and its name
 * in lib/config/schema/accuracy.ts.
 */
import type { AccuracyKind, AccuracyOptions } from '../../config/schema/accuracy.ts'
import { choiceGrader } from './choice.ts'
import { codeGrader } from './code.ts'
import { containsGrader } from './contains.ts'
import { exactGrader } from './exact.ts'
import { mathGrader } from './math.ts'
import { regexGrader } from './regex.ts'
import type { Grader, GraderContext } from './types.ts'

type GraderFactory = (options: AccuracyOptions, context: GraderContext) => Grader

export const KINDS: Readonly<Record<AccuracyKind, GraderFactory>> = {
  math: options => mathGrader(options),
  choice: () => choiceGrader,
  contains: () => containsGrader,
  exact: () => exactGrader,
  regex: options => regexGrader(options.regex_timeout_ms),
  code: (options, context) =>
    codeGrader(
      { tests_column: options.tests_column, timeout_ms: options.code_timeout_ms },
      context.codeRunner,
    ),
}
