/**
 * Kind `exact`: the marked answer (or, without a marker, the whole answer or its last line) is the
 * gold text. Unicode forms, spaces, case, quotes, Markdown emphasis and a polite ending or full stop
 * are not compared; nothing is read as a number.
 */
import { extractAnswer, lastMarked } from '../extract.ts'
import { goldText } from './gold.ts'
import type { Grader } from './types.ts'

export const exactGrader: Grader = sample => {
  const gold = plain(lastMarked(goldText(sample))?.text ?? goldText(sample))
  const statements = [sample.answer, extractAnswer(sample.answer)?.text ?? '']
  return gold !== '' && statements.some(text => plain(text) === gold) ? 1 : 0
}

/** Text as it is compared: only what tells one answer from another. */
export function plain(text: string): string {
  return text
    .slice(0, 20_000)
    .normalize('NFKC')
    .replace(/\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}/g, '$1')
    .replace(/[\s*_`"'“”‘’「」『』$]+/g, '')
    .replace(/(?:입니다|이에요|예요|이다)?[.!。]*$/, '')
    .toLowerCase()
}
