/**
 * Finds the final answer in the text after the thinking. Markers are `\boxed{…}` (and `\fbox`), 정답/답
 * followed by a colon, "=" or 은/는, "answer is", "Answer:", "A:" at a line start and "####"; the last
 * marker wins. Boxes joined by a comma or by and/또는 are one answer. Without a marker the last line
 * with a digit or a formula (else the last line) speaks. One pass a marker over at most the last
 * 20,000 characters.
 */

interface Extracted {
  source: 'boxed' | 'marker' | 'last line'
  text: string
}

/** Where an answer may stand: anywhere, after a marker, in a box only. */
export type Extraction = 'any' | 'marked' | 'boxed'

const WINDOW = 20_000
const MARKER =
  /(?<![가-힣])(?:최종\s?)?(?:정답|답)\s?(?:[:：=]|(?:은|는)(?:\s?[:：])?)|(?:\banswer\s?(?:is\b\s?:?|[:：]))|^A\s?:|####/gim
const BOX = /\\(?:boxed|fbox)\s*\{/g
/** Between two boxes of one answer: commas, or a joint right before the second (and its name). */
const JOINED =
  /^(?:[\s,;$]|\\q?quad\b|\\[ ,;)(])*$|(?:\b(?:and|or)|및|또는|그리고|[와과]|이고)\}?(?:[\s$]|\\q?quad\b|\\[ ,;)(])*(?:[a-zA-Z]\w?(?:_\{?\w+\}?)?\s*=\s*)?$/

/** The final answer stated in `answer` (text without thinking), or null. Never throws. */
export function extractAnswer(answer: string, extraction: Extraction = 'any'): Extracted | null {
  const text = plainText(answer)
  if (extraction === 'boxed') return lastBoxed(text)
  const marked = lastMarked(text)
  if (marked !== null || extraction === 'marked') return marked
  const lines = text.split('\n').filter(line => line.trim() !== '')
  const formula = lastFormula(text)
  if (formula !== null) return { source: 'last line', text: formula }
  const line = lines.findLast(candidate => /\d/.test(candidate)) ?? lines.at(-1)
  return line === undefined ? null : { source: 'last line', text: lastWords(line.trim()) }
}

/** The last marked answer of `text`, or null. */
export function lastMarked(text: string): Extracted | null {
  const marker = [...text.matchAll(MARKER)].at(-1)
  const box = lastBox(text)
  if (box !== null && box.at > (marker?.index ?? -1)) return { source: 'boxed', text: box.text }
  if (marker === undefined) return null
  const rest = text.slice(marker.index + marker[0].length)
  const line = statementLine(rest)
  return line === undefined ? null : { source: 'marker', text: statement(line.trim()) }
}

/** The content of the last box, or of the last boxes that make one answer; null without any. */
export function lastBoxed(text: string): Extracted | null {
  const box = lastBox(text)
  return box === null ? null : { source: 'boxed', text: box.text }
}

function lastBox(text: string): { at: number; text: string } | null {
  const boxes = [...text.matchAll(BOX)].slice(-20).flatMap(match => {
    const start = match.index + match[0].length
    const content = braced(text, start)
    return content === null ? [] : [{ at: match.index, content, end: start + content.length + 1 }]
  })
  const last = boxes.at(-1)
  if (last === undefined) return null
  const contents = [last.content]
  let next = last
  for (const box of boxes.slice(0, -1).reverse()) {
    const gap = text.slice(box.end, next.at)
    if (gap.length > 70 || !JOINED.test(gap)) break
    contents.unshift(box.content)
    next = box
  }
  // A unit or a percent sign may stand behind the box.
  const after = /^\s*\$?\s*(\\?%|percent\b|pct\b)/.exec(text.slice(last.end))?.[1] ?? ''
  return { at: last.at, text: `${contents.join(' and ')}${after === '' ? '' : ` ${after}`}` }
}

/** Text without Markdown emphasis and special tokens, its end only. */
function plainText(answer: string): string {
  return answer
    .slice(-WINDOW)
    .replace(/\*\*|__/g, '')
    .replace(/<\|[^|<>]{1,30}\|>\s*(?:user|assistant)?/g, ' ')
}

/** A formula between delimiters (or a matrix) in the last lines, when no number follows it. */
function lastFormula(text: string): string | null {
  const tail = text.slice(-2000).trimEnd()
  const pattern = /\$\$[^$]+\$\$|\$[^$\n]+\$|\\\([\s\S]*?\\\)|\\\[[\s\S]*?\\\]/g
  const last = [...tail.matchAll(pattern)].at(-1)
  if (last === undefined) return null
  const after = tail.slice(last.index + last[0].length)
  if (/\d/.test(after) || !/[\d\\]/.test(last[0])) return null
  const line = tail.slice(0, last.index).split('\n').at(-1)!
  const rest = after.split('\n', 1)[0]!
  return lastWords(`${line}${last[0]}${rest}`.trim())
}

/** The line that answers: the rest of the marker's, or the next one with anything in it. */
function statementLine(rest: string): string | undefined {
  const display = /^\s*(\$\$[^$]+\$\$|\\\[[\s\S]*?\\\])/.exec(rest)
  if (display !== null) return display[1]!.replaceAll('\n', ' ')
  return rest.split('\n').find(candidate => /[^\s.*_]/.test(candidate))
}

/** The sentence of a marked line that answers: the first, unless only a later one has a digit. */
function statement(line: string): string {
  const first = line.split(/[.!。]["'”]?\s/, 1)[0]!
  return /\d|\\/.test(first) || !/\d/.test(line) ? first : line
}

/** The end of a long line, from a word boundary on, short enough to be read as a phrase. */
function lastWords(line: string): string {
  return line.length <= 400 ? line : line.slice(-400).replace(/^\S*\s/, '')
}

/** The text from `start` up to the brace that closes it, or null when none does. */
function braced(text: string, start: number): string | null {
  let depth = 1
  for (let i = start; i < text.length; i++) {
    if (text[i] === '\\' && (text[i + 1] === '{' || text[i + 1] === '}')) i++
    else if (text[i] === '{') depth++
    else if (text[i] === '}' && --depth === 0) return text.slice(start, i)
  }
  return null
}
