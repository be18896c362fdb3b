/**
 * Questions on a terminal, one after the other, each with an answer for those who just press Enter. Lines
 * that arrive early (pasted, or from a script) wait for their question.
 */
import { createInterface } from 'node:readline'

export interface Question<K extends string> {
  key: K
  text: string
  /** The answer to an empty line; '' leaves the key out. */
  otherwise: string
}

/** The answers by key, or null when the input ends (Ctrl-D, Ctrl-C) before the last one. */
export async function askInTurn<K extends string>(
  questions: readonly Question<K>[],
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<Partial<Record<K, string>> | null> {
  const terminal = createInterface({ input, output })
  // A queue of its own: the interface's iterator may resume the input after close(), and a process
  // whose standard input flows does not end.
  const early: string[] = []
  let ended = false
  let wake: () => void = () => {}
  terminal.on('line', line => {
    early.push(line)
    wake()
  })
  terminal.on('close', () => {
    ended = true
    wake()
  })
  const next = async (): Promise<string | undefined> => {
    while (early.length === 0 && !ended) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
    return early.shift()
  }
  try {
    const answers: Partial<Record<K, string>> = {}
    for (const { key, text, otherwise } of questions) {
      terminal.setPrompt(`${text}${otherwise === '' ? '' : ` [${otherwise}]`}: `)
      terminal.prompt()
      const line = await next()
      if (line === undefined) return null
      const answer = line.trim() || otherwise
      if (answer !== '') answers[key] = answer
    }
    return answers
  } finally {
    terminal.close()
  }
}
