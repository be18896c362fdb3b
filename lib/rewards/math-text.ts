/**
 * Brings the many ways of writing one mathematical answer to a common form: Unicode compatibility
 * forms, LaTeX wrappers and fractions, Markdown emphasis. Linear in the input (a fixed number of
 * passes), no evaluation.
 */

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** Common form of `text`; the order of passes matters (superscripts before NFKC flattens them). */
export function normalizeMath(text: string): string {
  let s = text
    .replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, run => `^${[...run].map(c => SUPERSCRIPTS.indexOf(c)).join('')}`)
    .replace(/㎡/g, 'm^2')
    .replace(/㎥/g, 'm^3')
    .normalize('NFKC')
    .replace(/[−–—]/g, '-')
    .replace(/⁄/g, '/')
    .replace(/\*\*|__|`/g, '')
    .replace(/\\(?:left|right|displaystyle)(?![a-zA-Z])|\\[!]/g, '')
    .replace(/\\[,;:~ ]|~(?=\d)|\\quad(?![a-zA-Z])/g, m => (m === '~' ? m : ' '))
    .replace(/\{,\}/g, ',')
    .replace(/\\[()[\]]/g, '')
    .replace(/\\[$%]/g, m => (m === '\\%' ? '%' : ''))
    .replace(/\$/g, '')
    .replace(/\^\s*\{?\s*\\circ\s*\}?/g, '°')
    .replace(/\\(?:times|cdot)(?![a-zA-Z])/g, '×')
    .replace(/\\div(?![a-zA-Z])/g, '÷')
    .replace(/\\(?:text|textbf|textrm|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}/g, '$1')
  // A digit before a fraction makes a mixed number: 1\frac{1}{2} is "1 1/2".
  s = s.replace(/(\d)(?=\\[dtc]?frac)/g, '$1 ')
  s = s.replace(/\\[dtc]?frac\s*(\d)\s*(\d)/g, '$1/$2')
  // Innermost fractions first; deeper nesting than this is left as it is.
  for (let depth = 0; depth < 4 && s.includes('frac'); depth++) {
    s = s.replace(
      /\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}/g,
      (_m, a: string, b: string) => `${operand(a)}/${operand(b)}`,
    )
  }
  return s.replace(/\s+/g, ' ').trim()
}

function operand(text: string): string {
  const trimmed = text.trim()
  return /^[\p{L}\p{N}.,]*$/u.test(trimmed) ? trimmed : `(${trimmed})`
}
