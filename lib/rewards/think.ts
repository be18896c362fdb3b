/**
 * Splits a completion into thinking and answer. The generation prompt does not hold `<think>`: the
 * model writes it. The text is swept once over the tags, so malformed completions have one reading:
 *
 *   - between `<think>` and `</think>` is thinking; after the last closing tag is the answer,
 *   - a `</think>` that nothing opened makes everything before it thinking,
 *   - a `<think>` that is never closed makes everything after it thinking,
 *   - text before the first block is neither: an answer given before thinking does not count,
 *   - without any tag the whole text is the answer.
 */

const TAG = /<(\/?)think>/g

type ThinkProblem =
  | 'no think block'
  | 'text before the think block'
  | 'unopened think block'
  | 'unclosed think block'
  | 'more than one think block'
  | 'empty thinking'
  | 'empty answer'

export interface Split {
  /** Thinking without tags, trimmed; blocks joined by a newline. Null when there is no tag. */
  thinking: string | null
  /** What stands after the thinking, trimmed. */
  answer: string
  /** First departure from "one non-empty think block, then a non-empty answer"; null when none. */
  problem: ThinkProblem | null
}

/** Splits `completion`; never throws, linear time. */
export function splitThinking(completion: string): Split {
  const thinking: string[] = []
  const outside: string[] = []
  const problems = new Set<ThinkProblem>()
  let open = false
  let blocks = 0
  let position = 0
  for (const match of completion.matchAll(TAG)) {
    const text = completion.slice(position, match.index)
    position = match.index + match[0].length
    if (match[1] === '') {
      if (open) {
        problems.add('more than one think block')
        thinking.push(text)
      } else {
        if (blocks === 0 && text.trim() !== '') problems.add('text before the think block')
        if (blocks > 0) {
          problems.add('more than one think block')
          outside.push(text)
        }
      }
      open = true
    } else {
      if (!open) {
        problems.add(blocks === 0 ? 'unopened think block' : 'more than one think block')
        // What passed for an answer until now turns out to be thinking.
        thinking.push(...outside.splice(0))
      }
      thinking.push(text)
      open = false
      blocks++
    }
  }
  const rest = completion.slice(position)
  if (blocks === 0 && !open) {
    return { thinking: null, answer: completion.trim(), problem: 'no think block' }
  }
  if (open) {
    problems.add('unclosed think block')
    thinking.push(rest)
  } else {
    outside.push(rest)
  }
  const join = (parts: string[]): string =>
    parts
      .map(part => part.trim())
      .filter(part => part !== '')
      .join('\n')
  const split = { thinking: join(thinking), answer: join(outside) }
  const problem =
    [...problems][0] ??
    (split.thinking === '' ? 'empty thinking' : split.answer === '' ? 'empty answer' : null)
  return { ...split, problem }
}
