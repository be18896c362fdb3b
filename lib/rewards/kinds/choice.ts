/**
 * Kind `choice`: one option of a multiple-choice question, in any of the usual styles: A–Z, a–z,
 * 1–20, ①–⑳, 가–하. Styles are compared by position, so gold `3`, `C`, `③` and `다` are one option.
 * Where the data has a `choices` column (a list, or an object from label to text), the text of an
 * option stands for it as well. An answer that names two options has none.
 */
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import { extractAnswer, lastMarked } from '../extract.ts'
import { plain } from './exact.ts'
import { goldText } from './gold.ts'
import type { Grader } from './types.ts'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const HANGUL = '가나다라마바사아자차카타파하'
const CIRCLED = '①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳'

/** What may follow the label of an option at once; a particle only where the label is no syllable. */
const END = '$|[\\s.,:;)\\]}!?。"\'*]|번|입니다|이다|예요|이에요'
const LABEL = `[(\\[{<]?\\s*((?:[A-Z]|[${CIRCLED}]|1\\d|20|[1-9])(?=${END}|[은는이가을를와과](?:\\s|$))|[${HANGUL}](?=${END}))`
const ALONE = new RegExp(
  `^[(\\[{<]?\\s*([A-Za-z]|[${HANGUL}]|[${CIRCLED}]|\\d{1,2})\\s*번?[)\\]}>.]?$`,
)
const LEADING = new RegExp(`^(?:선택지|보기|option|choice)?\\s*${LABEL}`, 'i')
const ANY = new RegExp(`(?<![\\p{L}\\p{N}.])${LABEL}`, 'gu')
const HEDGE = /^[)\]}.\s번]*(?:,|\/|또는|혹은|이나|나\s|와|과|and\b|or\b)\s*[([{<]?(.)/i

/** Behind a label that is denied: "A가 아니라 B". */
const DENIED = /^[)\]}>.]?\s*(?:번)?(?:은|는|이|가)?\s*(?:아니|아닌|아닙)\S*/

/** Throws `E_REWARD` for a gold answer that names no option. */
export const choiceGrader: Grader = sample => {
  const choices = choiceTexts(sample.row.choices)
  const text = goldText(sample)
  const gold = optionOf(lastMarked(text)?.text ?? text, choices)
  if (gold === null) {
    throw new KogrpoError(
      'E_REWARD',
      phrase(
        "column '{column}' of {where} names no option (\"{text}\"); accuracy kind 'choice' needs a label such as A, 1, ① or 가{more}",
        {
          column: sample.column,
          where: sample.where,
          text: text.slice(0, 60),
          more: choices.length === 0 ? '' : phrase(', or the text of one of the choices'),
        },
      ),
    )
  }
  return chosenOption(sample.answer, choices) === gold ? 1 : 0
}

/** Position (0-based) of the option that `answer` chooses, or null for none or several. */
export function chosenOption(answer: string, choices: readonly string[] = []): number | null {
  const marked = lastMarked(answer)
  if (marked !== null) return optionOf(marked.text, choices)
  const whole = optionOf(answer, choices)
  return whole ?? optionOf(extractAnswer(answer)?.text ?? '', choices)
}

function optionOf(statement: string, choices: readonly string[]): number | null {
  const text = statement
    .slice(0, 2000)
    .replace(/\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}/g, '$1')
    .replace(/\*\*|__|[$`]/g, '')
    .trim()
  const alone = ALONE.exec(text)
  if (alone !== null) return position(alone[1]!)
  const named = choices.findIndex(choice => plain(choice) === plain(text))
  if (named >= 0) return named
  const leading = LEADING.exec(text)
  if (leading !== null && /[A-Z가-하①-⑳\d]/.test(leading[1]!)) {
    const rest = text.slice(leading[0].length)
    const denied = DENIED.exec(rest)
    if (denied !== null) return optionOf(rest.slice(denied[0].length), choices)
    const next = HEDGE.exec(rest)?.[1]
    return next !== undefined && position(next) !== null ? null : position(leading[1]!)
  }
  // In running text digits and Hangul syllables are rarely labels; circled and capital ones are.
  const found = [...text.matchAll(ANY)]
    .map(match => match[1]!)
    .filter(label => /[A-HJ-Z①-⑳]/.test(label))
  const positions = new Set(found.map(position))
  return positions.size === 1 ? [...positions][0]! : null
}

function position(label: string): number | null {
  const styles = [
    LETTERS.indexOf(label.toUpperCase()),
    HANGUL.indexOf(label),
    CIRCLED.indexOf(label),
  ]
  const at = /^\d+$/.test(label) ? Number(label) - 1 : Math.max(...styles)
  return at >= 0 ? at : null
}

function choiceTexts(value: unknown): string[] {
  const list = typeof value === 'object' && value !== null ? Object.values(value) : []
  return list.filter(item => typeof item === 'string')
}
