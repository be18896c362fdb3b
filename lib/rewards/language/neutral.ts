/**
 * What of a text belongs to no language and is left out before its language is judged: LaTeX, code,
 * links, units of measure, single Latin letters (variables, choices) and short runs of capitals
 * (points, abbreviations: capitals.ts). Numbers have no letters anyway. Every pattern is linear or bounded.
 *
 * Prose cannot hide there: a formula or a command's argument with two words in a row (or two characters of a
 * script without spaces), or "code" that reads as prose, stays in between the marks SOFT_BEGIN and SOFT_END, for profile.ts to treat as it treats quotations.
 */

import { withoutAbbreviations } from './capitals.ts'

/** Private-use characters around prose of formulas and code. */
export const SOFT_BEGIN = '\u{e000}'
export const SOFT_END = '\u{e001}'

/** LaTeX commands, with the argument of those whose argument is a name or a style. */
const COMMAND =
  /\\(?:begin|end|math[a-z]+|operatorname|overline|ref|label)\s*\{([^{}]*)\}|\\[a-zA-Z]+/g
const DOLLARS = /\$\$[^$]*\$\$|\$[^$\n]*\$/g
const CJK = '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}]'
/** Two Latin words, two characters of Chinese or Japanese, or a word of another script than formulas have. */
const FORMULA_PROSE = new RegExp(
  `(?<![A-Za-z])[A-Za-z]{3,}\\s+[A-Za-z]{2,}|${CJK}{2}|(?:(?![\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Hangul}])\\p{L}){3}`,
  'u',
)

/** Longest formula and figure, in characters. */
const LONGEST_FORMULA = 2000
const LONGEST_FIGURE = 5000
const ENVIRONMENTS = [
  ...['align', 'alignat', 'aligned', 'array', 'cases', 'equation', 'gather', 'gathered', 'split'],
  ...['multline', 'matrix', 'bmatrix', 'Bmatrix', 'pmatrix', 'vmatrix', 'Vmatrix'],
].flatMap(name => [name, `${name}*`])

/** Fenced blocks (one that is cut off runs to the end) and inline code. */
const CODE = /```[^`]*(?:```|$)|`[^`\n]*`/g
const WORD = new RegExp(`${CJK}{2}|\\p{L}{2,}`, 'gu')
const CODE_SYMBOL = /[=(){}[\]<>;_/*+|&"'#$%^~\\]/g

const PATTERNS: readonly RegExp[] = [
  /https?:\/\/(?:[!-~]|\p{Script=Hangul})+/gu,
  // Differentials.
  /(?<!\p{Script=Latin})d[xyzt](?!\p{Script=Latin})/gu,
  // Units, alone or after a number, with powers and "per": km, kg, m/s, cm^2, km/h.
  /(?<!\p{L})(?:[kcmµμn]?m|[kmµμ]?g|[mkd]?[lL]|[kMG]?Hz|[kM]?W(?:h)?|[kmM]?V|mA|kcal|cal|mol|mph|ha|[kKMGT]B|KRW|USD|EUR|JPY|pH|AM|PM|am|pm)(?:\/(?:h|s|min|m|kg|L|l))?(?!\p{Script=Latin})/gu,
  // A Latin letter on its own: 2x, x축.
  /(?<!\p{Script=Latin})[A-Za-z](?!\p{Script=Latin})/gu,
]

function count(text: string, pattern: RegExp): number {
  let matches = 0
  for (const _ of text.matchAll(pattern)) matches++
  return matches
}

/** Whether a block of code is prose: five words or more, and few symbols between them. */
function readsAsProse(code: string): boolean {
  const words = count(code, WORD)
  return words >= 5 && count(code.replaceAll('`', ''), CODE_SYMBOL) < words / 4
}

const MARKS = /[\u{e000}\u{e001}]/gu
const soft = (text: string): string => `${SOFT_BEGIN}${text.replace(MARKS, ' ')}${SOFT_END}`

/**
 * `text` with every stretch from `open` to the next `close`, of at most `longest` characters, replaced.
 * Linear, whatever is opened and not closed.
 */
function replaceBetween(
  text: string,
  open: string,
  close: string,
  longest: number,
  replace: (stretch: string) => string,
): string {
  let out = ''
  let done = 0
  let end = -1
  for (let begin = text.indexOf(open); begin >= 0; begin = text.indexOf(open, begin)) {
    const inside = begin + open.length
    if (end < inside) end = text.indexOf(close, inside)
    if (end < 0) break
    if (end - begin > longest) {
      begin = inside
      continue
    }
    out += text.slice(done, begin) + replace(text.slice(begin, end + close.length))
    done = end + close.length
    begin = done
  }
  return out + text.slice(done)
}

const formula = (stretch: string): string => (FORMULA_PROSE.test(stretch) ? soft(stretch) : ' ')
const code = (stretch: string): string => (readsAsProse(stretch) ? soft(stretch) : ' ')

const withoutCommands = (text: string): string =>
  text.replace(COMMAND, (_, argument?: string) =>
    argument !== undefined && FORMULA_PROSE.test(argument) ? soft(argument) : ' ',
  )

/** `text` in composed form (NFC), with a blank for everything that belongs to no language. */
export function withoutNeutral(text: string): string {
  let rest = text.normalize('NFC').replace(MARKS, ' ')
  for (const name of rest.includes('\\begin{') ? ENVIRONMENTS : []) {
    rest = replaceBetween(rest, `\\begin{${name}}`, `\\end{${name}}`, LONGEST_FORMULA, stretch =>
      formula(withoutCommands(stretch)),
    )
  }
  rest = withoutCommands(rest).replace(DOLLARS, formula)
  rest = replaceBetween(rest, '\\[', '\\]', LONGEST_FORMULA, formula)
  rest = replaceBetween(rest, '\\(', '\\)', LONGEST_FORMULA, formula)
  rest = replaceBetween(rest.replace(CODE, code), '[asy]', '[/asy]', LONGEST_FIGURE, code)
  for (const pattern of PATTERNS) rest = rest.replace(pattern, ' ')
  return withoutAbbreviations(rest)
}
