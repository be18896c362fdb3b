/**
 * Kind `code`: the last fenced block of the answer is run against the sample's unit tests by the
 * caller's runner: the sandbox of lib/sandbox in training. Without a runner the kind is refused:
 * running a model's code in the trainer's process is never an option.
 */
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import type { CodeRunner, Grader } from './types.ts'

interface CodeOptions {
  tests_column: string
  timeout_ms: number
}

/** Throws `E_CONFIG` without a runner; at rating time `E_REWARD` for a sample without tests. */
export function codeGrader(
  options: CodeOptions,
  makeRunner: (() => CodeRunner) | undefined,
): Grader {
  if (makeRunner === undefined) {
    throw new KogrpoError(
      'E_CONFIG',
      phrase(
        "accuracy kind 'code' runs code written by the model and is off: no isolated runner was passed. Pass `codeRunner` (a CodeRunner) when making the reward, or choose another kind",
      ),
    )
  }
  const runner = makeRunner()
  return async ({ answer, row, where }) => {
    const tests = row[options.tests_column]
    if (typeof tests !== 'string' || tests.trim() === '') {
      throw new KogrpoError(
        'E_REWARD',
        phrase(
          "column '{tests_column}' has no unit tests for {where}; accuracy kind 'code' needs them",
          { tests_column: options.tests_column, where },
        ),
      )
    }
    const block = lastCodeBlock(answer)
    if (block === null) return 0
    const entry = row.entry_point
    const result = await runner.run({
      ...block,
      tests,
      entryPoint: typeof entry === 'string' ? entry : null,
      timeoutMs: options.timeout_ms,
    })
    if ('failure' in result) return null
    return result.total > 0 && result.passed === result.total ? 1 : 0
  }
}

/** The last complete fenced block, or null. */
export function lastCodeBlock(answer: string): { language: string; code: string } | null {
  const lines = answer.split('\n')
  let open: { language: string; from: number } | null = null
  let found: { language: string; code: string } | null = null
  for (const [i, line] of lines.entries()) {
    const fence = /^\s*```\s*([\w+#-]*)/.exec(line)
    if (fence === null) continue
    if (open === null) open = { language: fence[1]!.toLowerCase(), from: i + 1 }
    else {
      found = { language: open.language, code: lines.slice(open.from, i).join('\n') }
      open = null
    }
  }
  return found
}
