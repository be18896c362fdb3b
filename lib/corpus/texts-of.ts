/** The parts of a record that people judge: its question, its thinking and its answer. */
import type { Conversation } from '../data/columns.ts'

export interface Texts {
  /** What the user says (all turns), or the plain text. */
  prompt: string
  /** The thinking of the trained turns; null where there is none. */
  thinking: string | null
  /** What the trained turns say after it; null where nothing is trained. */
  answer: string | null
}

export function textsOf({ messages, promptLength, text }: Conversation): Texts {
  if (text !== null) return { prompt: text, thinking: null, answer: null }
  const said = messages.slice(promptLength).filter(({ role }) => role === 'assistant')
  const thinking: string[] = []
  const answers: string[] = []
  for (const { content, reasoning_content: reasoning } of said) {
    const body = typeof content === 'string' ? content : ''
    const inline = /^\s*<think>\n?([\s\S]*?)\n?<\/think>\s*([\s\S]*)$/.exec(body)
    if (typeof reasoning === 'string' && reasoning !== '') thinking.push(reasoning)
    else if (inline) thinking.push(inline[1]!)
    answers.push(inline ? inline[2]! : body)
  }
  const users = messages.filter(({ role }) => role === 'user')
  return {
    prompt: users.map(({ content }) => content ?? '').join('\n'),
    thinking: thinking.length > 0 ? thinking.join('\n') : null,
    answer: said.length > 0 ? answers.join('\n') : null,
  }
}
