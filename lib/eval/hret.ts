/**
 * Extraction and matching as the HAE-RAE Evaluation Toolkit does it (`--compat hret`; Lee et al. 2025,
 * arXiv 2503.22968; toolkit at commit cbc399b), so that its published numbers can be compared with.
 * Reproduced, not improved: the first marker wins (a later correction is ignored), the answer is its
 * first line whatever follows, and numbers are compared as text. The default scoring of kogrpo has
 * none of these (docs/eval.md). Strings are treated as Python treats them: its white space, its line
 * ends.
 *
 *   final answer    what stands behind the first marker (정답:, Answer: …), else the whole output
 *   string match    Markdown marks removed, first line that is not empty, lower case, spaces joined; equal
 *   partial match   first line, lower case, spaces joined; the reference is a substring
 */

/** The markers of the toolkit, any of which begins the answer. */
const MARKERS = [
  'Answer\\s*:',
  'Final\\s*Answer\\s*:',
  '답변\\s*:',
  '정답\\s*:',
  '정답은\\s*:',
  '답\\s*:',
  '답은\\s*:',
  '답안\\s*:',
  '答案\\s*[:：]',
  '解答\\s*[:：]',
  '回答\\s*[:：]',
  '答\\s*[:：]',
  'Jawaban\\s*:',
  'Réponse\\s*:',
  'Resposta\\s*:',
  'Jibu\\s*:',
  'Idahun\\s*:',
  'Ìdáhùn\\s*:',
  'Idáhùn\\s*:',
  'Àmọ̀nà\\s*:',
  'Àdáhùn\\s*:',
  'Ànúgọ\\s*:',
  'Àṣàyàn\\s*:',
]
/** White space of Python's str methods: `\s` of JavaScript without U+FEFF, with U+0085 and U+001C–1F. */
const SPACE =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const MARKER = new RegExp(MARKERS.join('|').replaceAll('\\s', SPACE), 'iu')
const ENDS = new RegExp(`^${SPACE}+|(?<!${SPACE})${SPACE}+$`, 'g')
const SPACES = new RegExp(`${SPACE}+`)
/** Where str.splitlines breaks. */
const LINE_BREAK = '[\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029]'
const LINE_END = new RegExp(`\\r\\n|${LINE_BREAK}`)

interface HretAnswer {
  finalAnswer: string
  /** What stands before the answer, its marker included; empty without a marker. */
  chainOfThought: string
}

interface HretMatch {
  /** Prediction and reference as they are compared. */
  pred: string
  ref: string
  correct: boolean
}

const strip = (text: string): string => text.replace(ENDS, '')

/** Splits an output at its first marker. */
export function hretAnswer(output: string): HretAnswer {
  const marker = MARKER.exec(output)
  if (marker === null) return { finalAnswer: output, chainOfThought: '' }
  const end = marker.index + marker[0].length
  return { finalAnswer: strip(output.slice(end)), chainOfThought: strip(output.slice(0, end)) }
}

/** Lower case, words joined by one space. */
function normalize(text: string): string {
  return strip(text).toLowerCase().split(SPACES).join(' ')
}

function forStringMatch(output: string): string {
  const plain = hretAnswer(output).finalAnswer.replaceAll(/\*\*|__|~~|`/g, '')
  return normalize(plain.split(LINE_END).find(line => strip(line) !== '') ?? '')
}

function forPartialMatch(output: string): string {
  return normalize(strip(hretAnswer(output).finalAnswer).split(LINE_END)[0]!)
}

/** `options`: of a multiple-choice question; a reference that is none of them is never correct. */
function match(
  pred: string,
  ref: string,
  options: readonly string[] | undefined,
  agrees: boolean,
): HretMatch {
  const offered = options === undefined || options.some(option => normalize(option) === ref)
  return { pred, ref, correct: agrees && offered }
}

/** The toolkit's `string_match`. */
export function hretStringMatch(
  output: string,
  reference: string,
  options?: readonly string[],
): HretMatch {
  const [pred, ref] = [forStringMatch(output), forStringMatch(reference)]
  return match(pred, ref, options, pred === ref)
}

/** The toolkit's `partial_match`. */
export function hretPartialMatch(
  output: string,
  reference: string,
  options?: readonly string[],
): HretMatch {
  const [pred, ref] = [forPartialMatch(output), forPartialMatch(reference)]
  return match(pred, ref, options, pred.includes(ref))
}
