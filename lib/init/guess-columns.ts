/**
 * Which column of a data file holds what, by the names that public data sets use, Korean ones included.
 * A guess is only made from names; it is written into the recipe, where people see and change it.
 */

type Role = 'messages' | 'prompt' | 'reasoning' | 'derivation' | 'completion' | 'answer' | 'system'

/** In order of preference. */
const NAMES: Record<Role, readonly string[]> = {
  messages: ['messages', 'conversations', 'conversation', 'chat'],
  prompt: [
    'prompt',
    'question',
    'problem',
    'instruction',
    'query',
    'input',
    '질문',
    '문제',
    '지시문',
  ],
  reasoning: [
    'reasoning',
    'thinking',
    'rationale',
    'cot',
    'reasoning_content',
    'thought',
    '추론',
    '생각',
  ],
  /** Thinking where a short answer stands beside it, else the completion itself. */
  derivation: ['solution', 'reason', 'explanation', '풀이'],
  completion: ['completion', 'response', 'output', 'chosen', '응답', '답변'],
  answer: [
    'answer',
    'gold',
    'final_answer',
    'label',
    'target',
    'ground_truth',
    'reference',
    '정답',
    '답',
  ],
  system: ['system', 'system_prompt'],
}

interface Guess {
  /** Canonical name → column; only where the column is named otherwise. */
  columns: Record<string, string>
  /** Fit for supervised training: it has something to learn. */
  sft: boolean
  /** Fit for GRPO: it has a question and an answer to check against. */
  grpo: boolean
}

/** The guess for a file with these columns, of which `record` is an example. */
export function guessColumns(record: Record<string, unknown>): Guess {
  const find = (role: Role): string | undefined =>
    NAMES[role].find(name => record[name] !== undefined && record[name] !== null)
  const columns: Record<string, string> = {}
  const use = (role: Role, column: string | undefined): boolean => {
    if (column !== undefined && column !== role) columns[role] = column
    return column !== undefined
  }
  const answer = find('answer')
  const messages = find('messages')
  if (messages && Array.isArray(record[messages])) {
    use('messages', messages)
    return { columns, sft: true, grpo: use('answer', answer) }
  }
  const prompt = use('prompt', find('prompt'))
  const derivation =
    answer !== undefined && !isProse(record, answer) ? find('derivation') : undefined
  const reasoning = find('reasoning') ?? derivation
  // A long "answer" without any other completion is what is to be learnt, not a gold value.
  const prose = isProse(record, answer) ? answer : undefined
  const short = reasoning && typeof record[answer ?? ''] === 'string' ? answer : undefined
  const completion = find('completion') ?? prose ?? short ?? find('derivation')
  const learns = use('completion', completion)
  if (learns && reasoning !== completion) use('reasoning', reasoning)
  if (prompt) use('system', find('system'))
  const checks = answer !== undefined && !isProse(record, answer) && use('answer', answer)
  return { columns, sft: prompt && learns, grpo: prompt && checks }
}

function isProse(record: Record<string, unknown>, column: string | undefined): boolean {
  const value = column === undefined ? undefined : record[column]
  return typeof value === 'string' && value.length > 40
}
