/**
 * Brings the many ways of writing one mathematical answer to a common form: Unicode symbols to their
 * LaTeX names, presentation-only LaTeX away, `\text{…}` unwrapped, dollar signs and delimiters away,
 * thousands separators that cannot be anything else (`14{,}916`) joined. A fixed number of linear
 * passes; nothing is evaluated.
 */

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹'
const SUBSCRIPTS = '₀₁₂₃₄₅₆₇₈₉'

const SYMBOLS: readonly [RegExp, string][] = [
  [/[−–—]/g, '-'],
  [/⁄/g, '/'],
  [/[×✕]/g, '\\times '],
  [/[·⋅∙]/g, '\\cdot '],
  [/÷/g, '\\div '],
  [/[≤≦⩽]/g, '\\le '],
  [/[≥≧⩾]/g, '\\ge '],
  [/≠/g, '\\ne '],
  [/[≈≒≃]/g, '\\approx '],
  [/±/g, '\\pm '],
  [/∓/g, '\\mp '],
  [/π/g, '\\pi '],
  [/∞/g, '\\infty '],
  [/√/g, '\\sqrt '],
  [/∛/g, '\\sqrt[3]'],
  [/∪/g, '\\cup '],
  [/∩/g, '\\cap '],
  [/∈/g, '\\in '],
  [/[∅Ø]/g, '\\emptyset '],
  [/∑/g, '\\sum '],
  [/∫/g, '\\int '],
  [/θ/g, '\\theta '],
  [/[“”„]/g, '"'],
]

/** Commands that only say how something looks. */
const LOOKS =
  /\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|boldsymbol|[bB]igg?[lrm]?|left|right|middle|mathstrut|hline|it|rm|bf)(?![a-zA-Z])/g
const WRAPPERS =
  /\\(?:text|textbf|textit|textrm|textsf|texttt|textnormal|mathrm|mathbf|mathbb|mathsf|mathcal|mbox|hbox|operatorname|boxed|fbox|emph)\s*\*?\s*\{([^{}]*)\}/g
/** Commands whose backslash JSON writers double, or lose to a control character. */
const KNOWN =
  'frac|dfrac|tfrac|cfrac|sqrt|left|right|text|textbf|mathrm|pi|theta|alpha|beta|cdot|times|div|infty|cup|cap|in|leq?|geq?|neq?|approx|pm|boxed|circ|quad|qquad|begin|end|sin|cos|tan|log|ln|mathbf|pmod|overline|angle|triangle'
const DOUBLED = new RegExp(`(?<!\\\\)\\\\\\\\(?=(?:${KNOWN})(?![a-zA-Z]))`, 'g')
const LOST: readonly [RegExp, string][] = [
  [/\f(?=rac)/g, '\\f'],
  [/\t(?=ext|imes|an|heta|frac|o\b)/g, '\\t'],
  [/[\b](?=oxed|egin|ar\b|eta)/g, '\\b'],
  [/\r(?=ight|angle|m\b)/g, '\\r'],
]

/** Common form of `text`; the order of passes matters (superscripts before NFKC flattens them). */
export function normalizeMath(text: string): string {
  let s = text
  for (const [pattern, replacement] of LOST) s = s.replace(pattern, replacement)
  s = s
    .replace(DOUBLED, '\\')
    .replace(/<\|[^|<>]{1,30}\|>/g, ' ')
    .replace(/[⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, run => `^{${ascii(run, SUPERSCRIPTS)}}`)
    .replace(/[₀₁₂₃₄₅₆₇₈₉]+/g, run => `_{${ascii(run, SUBSCRIPTS)}}`)
    .replace(/[㎟㎠㎡㎢]/g, m => `${m.normalize('NFKC').slice(0, -1)}^2`)
    .replace(/[㎣㎤㎥㎦]/g, m => `${m.normalize('NFKC').slice(0, -1)}^3`)
    // A vulgar fraction after a digit makes a mixed number.
    .replace(/(\d)(?=[¼-¾⅐-⅞])/g, '$1 ')
    .normalize('NFKC')
  for (const [pattern, replacement] of SYMBOLS) s = s.replace(pattern, replacement)
  s = s
    // A power in Python's way, where no second pair of stars makes it emphasis.
    .replace(/(?<=[a-zA-Z0-9)])\*\*(?=[-\d(a-zA-Z])(?![^*]*\*\*)/g, '^')
    .replace(/\*\*|__|`/g, '')
    .replace(/\\left\s*\||\\lvert(?![a-zA-Z])|\\left\s*\\vert(?![a-zA-Z])/g, '\\lvert ')
    .replace(/\\right\s*\||\\rvert(?![a-zA-Z])|\\right\s*\\vert(?![a-zA-Z])/g, '\\rvert ')
    .replace(/\\(?:mid|vert)(?![a-zA-Z])/g, '|')
    .replace(/\\left\s*\.|\\right\s*\./g, ' ')
    .replace(LOOKS, '')
    .replace(/\\[lr]brace(?![a-zA-Z])/g, m => (m[1] === 'l' ? '\\{' : '\\}'))
    .replace(/(\d)\s*\{\s*,\s*\}\s*(?=\d{3})/g, '$1')
    .replace(/(\d)\s*,\s*\\!\s*(?=\d{3})/g, '$1')
    .replace(/\\!/g, '')
    .replace(/(?<!\\)\\[,;:> ]|\\q?quad(?![a-zA-Z])|~(?!\d)/g, ' ')
    .replace(/\\(["'])/g, '$1')
    .replace(/\\\\(?=\s*$)/g, ' ')
    // Backslash, parenthesis or bracket: delimiters of mathematics (not a row break before one).
    .replace(/(?<!\\)\\[()[\]]/g, ' ')
    .replace(/\\%/g, '%')
    .replace(/\\?\$/g, '')
    .replace(/\\#/g, '#')
    .replace(/\^\s*\{?\s*(?:\\circ(?![a-zA-Z])|°)\s*\}?|\\degree(?![a-zA-Z])/g, '°')
    .replace(/\\(?:dfrac|tfrac|cfrac|sfrac)(?![a-zA-Z])/g, '\\frac')
  // Wrappers nest ("\boxed{\text{A}}"): innermost first, a bounded number of times.
  for (let depth = 0; depth < 4; depth++) {
    const unwrapped = s.replace(WRAPPERS, ' $1 ')
    if (unwrapped === s) break
    s = unwrapped
  }
  return s
    .replace(/\s+/g, ' ')
    .replace(/ (?=\^)/g, '')
    .trim()
}

/** `1\frac{1}{2}` as "1 1/2" and `\frac{3}{4}` as "3/4", for readers of plain quantities. */
export function plainFractions(text: string): string {
  return text
    .replace(/(\d)\s*(?=\\frac)/g, '$1 ')
    .replace(/\\frac\s*(?:\{\s*(\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))/g, '$1$2/$3$4')
    .replace(/\\(?:times|cdot) ?/g, '×')
    .replace(/\\div ?/g, '÷')
    .replace(/\\approx ?/g, '≈')
    .replace(/\^\{(\d+)\}/g, '^$1')
}

/** What the delimiters of mathematics hold ($…$, \(…\), \[…\]), with positions. */
export function mathSegments(text: string): { start: number; end: number; content: string }[] {
  const pattern =
    /\$\$([^$]{1,1000})\$\$|\$([^$]{1,1000})\$|\\\(([\s\S]{1,1000}?)\\\)|\\\[([\s\S]{1,1000}?)\\\]/g
  return [...text.slice(-4000).matchAll(pattern)].map(match => ({
    start: match.index,
    end: match.index + match[0].length,
    content: match[1] ?? match[2] ?? match[3] ?? match[4] ?? '',
  }))
}

function ascii(run: string, digits: string): string {
  return [...run].map(c => (c === '⁻' ? '-' : digits.indexOf(c))).join('')
}
