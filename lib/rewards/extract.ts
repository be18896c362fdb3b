/**
 * Finds the final answer in the text after the thinking. Markers are `\boxed{…}`, 정답/답 followed by
 * a colon, "=" or 은/는, "answer is", "Answer:", "A:" at a line start and "####"; the last marker
 * wins. Without a marker the last line with a digit (else the last line) speaks, and its last number
 * counts. One pass a marker over at most the last 4,000 characters.
 */

export interface Extracted {
  source: 'boxed' | 'marker' | 'last line'
  text: string
}

const WINDOW = 4000
const MARKER =
  /(?<![가-힣])(?:최종\s?)?(?:정답|답)\s?(?:[:：=]|(?:은|는)(?:\s?[:：])?)|(?:\banswer\s?(?:is\b\s?:?|[:：]))|^A\s?:|####/gim

/** The final answer stated in `answer` (text without thinking), or null. Never throws. */
export function extractAnswer(answer: string): Extracted | null {
  const text = answer.slice(-WINDOW).replace(/\*\*|__/g, '')
  const marked = lastMarked(text)
  if (marked !== null) return marked
  const lines = text.split('\n').filter(line => line.trim() !== '')
  const line = lines.findLast(candidate => /\d/.test(candidate)) ?? lines.at(-1)
  return line === undefined ? null : { source: 'last line', text: lastWords(line.trim()) }
}

/** The end of a long line, from a word boundary on, short enough to be read as a phrase. */
function lastWords(line: string): string {
  return line.length <= 250 ? line : line.slice(-250).replace(/^\S*\s/, '')
}

/** The last marked answer of `text`, or null. */
export function lastMarked(text: string): Extracted | null {
  const marker = [...text.matchAll(MARKER)].at(-1)
  const boxedAt = text.lastIndexOf('\\boxed{')
  if (boxedAt >= 0 && boxedAt > (marker?.index ?? -1)) {
    const content = braced(text, boxedAt + '\\boxed{'.length)
    if (content !== null) return { source: 'boxed', text: content }
  }
  if (marker === undefined) return null
  const rest = text.slice(marker.index + marker[0].length)
  const line = rest.split('\n').find(candidate => candidate.trim() !== '')
  return line === undefined ? null : { source: 'marker', text: statement(line.trim()) }
}

/** The sentence of a marked line that answers: the first, unless only a later one has a digit. */
function statement(line: string): string {
  const first = line.split(/[.!。]\s/, 1)[0]!
  return /\d/.test(first) || !/\d/.test(line) ? first : line
}

/** The text from `start` up to the brace that closes it, or null when none does. */
function braced(text: string, start: number): string | null {
  let depth = 1
  for (let i = start; i < text.length; i++) {
    if (text[i] === '{') depth++
    else if (text[i] === '}' && --depth === 0) return text.slice(start, i)
  }
  return null
}
