/**
 * Text on a terminal: how many columns it takes, and cutting, padding and wrapping by columns.
 * Hangul, Han, kana, full-width forms and emoji take two columns (Unicode Annex 11, classes W and
 * F); combining marks and the vowels and finals of conjoining Jamo take none. A grapheme cluster is
 * as wide as its widest code point.
 */

const segmenter = new Intl.Segmenter('ko', { granularity: 'grapheme' })

/** First and last code points of the wide blocks, ascending. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
]

const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}\u1160-\u11ff\ud7b0-\ud7ff]$/u
const EMOJI = /^\p{Emoji_Presentation}$/u

function codePointWidth(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0)!
  if (code >= 0x20 && code < 0x7f) return 1
  if (NO_WIDTH.test(character)) return 0
  return WIDE.some(([first, last]) => code >= first && code <= last) || EMOJI.test(character)
    ? 2
    : 1
}

function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), part => part.segment)
}

function graphemeWidth(grapheme: string): number {
  return Math.max(...Array.from(grapheme, codePointWidth))
}

/** Columns that `text` (one line, no control sequences) takes on a terminal. */
export function displayWidth(text: string): number {
  return graphemes(text).reduce((sum, grapheme) => sum + graphemeWidth(grapheme), 0)
}

/** `text` cut to at most `columns`, the last of them "…" when something was cut. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let cut = ''
  let used = 0
  for (const grapheme of graphemes(text)) {
    const width = graphemeWidth(grapheme)
    if (used + width > columns - 1) break
    cut += grapheme
    used += width
  }
  return `${cut}…`
}

/** `text` filled with spaces to `columns`, on its right (`left`-aligned) or on its left. */
export function pad(text: string, columns: number, align: 'left' | 'right'): string {
  const fill = ' '.repeat(Math.max(0, columns - displayWidth(text)))
  return align === 'left' ? text + fill : fill + text
}

/**
 * Makes text from outside (a model's output) harmless to a terminal: control characters other than
 * the line feed become visible (U+2400 … U+2421), so that no escape sequence gets through.
 */
export function printable(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll('\t', '  ')
    .replaceAll(/[^\P{Cc}\n]/gu, character => {
      const code = character.charCodeAt(0)
      return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '␡' : '�'
    })
}

/** Breaks text into lines of at most `columns`, at spaces where possible, keeping its own breaks. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    let used = 0
    // A word with the spaces that follow it.
    for (const word of paragraph.match(/\S*\s*/g) ?? []) {
      if (word === '') continue
      const bare = displayWidth(word.trimEnd())
      if (used > 0 && used + bare > columns) {
        lines.push(line.trimEnd())
        line = ''
        used = 0
      }
      for (const grapheme of bare > columns ? graphemes(word) : [word]) {
        const width = displayWidth(grapheme)
        if (used > 0 && used + displayWidth(grapheme.trimEnd()) > columns) {
          lines.push(line.trimEnd())
          line = ''
          used = 0
        }
        line += grapheme
        used += width
      }
    }
    lines.push(line.trimEnd())
  }
  return lines
}

/** Rows of cells as aligned lines, two spaces between columns. */
export function table(
  rows: readonly (readonly string[])[],
  align: readonly ('left' | 'right')[],
): string[] {
  const widths = align.map((_, column) =>
    Math.max(...rows.map(row => displayWidth(row[column] ?? ''))),
  )
  return rows.map(row =>
    align
      .map((side, column) => pad(row[column] ?? '', widths[column]!, side))
      .join('  ')
      .trimEnd(),
  )
}
