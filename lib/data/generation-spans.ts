/**
 * `{% generation %}` spans of a Jinja chat template, as transformers records them for
 * `return_assistant_tokens_mask`, on an engine that does not know the tag.
 *
 * Each tag is replaced by a statement that prints a marker. The markers are control characters
 * around a number chosen so that they occur nowhere in the input, hence nowhere in the output but
 * where the tags stood; removing them gives the text and the spans. The replacement keeps the tag's
 * own whitespace control (`{%-`, `-%}`) and, being a block tag, Jinja's trim_blocks.
 */
import { Template } from './template-engine.ts'

/** A text with the half-open UTF-16 ranges that lie between generation tags. */
export interface MarkedText {
  text: string
  spans: [number, number][]
}

const TAG = /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g
const BEGIN = 'kogrpo_generation_begin'
const END = 'kogrpo_generation_end'

/** Whether a template has generation tags. */
export function hasGenerationTags(source: string): boolean {
  return source.search(TAG) >= 0
}

/** Compiles a template whose generation tags print the variables BEGIN and END. */
export function compileMarked(source: string): Template {
  return new Template(
    source.replace(TAG, (_tag, left: string, end: string | undefined, right: string) => {
      const marker = end === undefined ? BEGIN : END
      return `{%${left} if true %}{{ ${marker} }}{% endif ${right}%}`
    }),
  )
}

/** Renders a template of `compileMarked`. Throws `Error` when begins and ends do not alternate. */
export function renderMarked(template: Template, variables: Record<string, unknown>): MarkedText {
  const input = JSON.stringify(variables)
  let serial = 0
  // JSON escapes control characters, so look for the number alone between escaped ones.
  while (input.includes(`\\u0002${serial}\\u0003`)) serial++
  const begin = `\u0002${serial}\u0003b`
  const end = `\u0002${serial}\u0003e`
  const marked = template.render({ ...variables, [BEGIN]: begin, [END]: end })

  const spans: [number, number][] = []
  let text = ''
  let open = -1
  for (const part of marked.split(`\u0002${serial}\u0003`).entries()) {
    const [index, piece] = part
    if (index === 0) {
      text += piece
      continue
    }
    const starts = piece.startsWith('b')
    if (starts === open >= 0) throw new Error('generation tags of the chat template do not nest')
    if (starts) open = text.length
    else {
      spans.push([open, text.length])
      open = -1
    }
    text += piece.slice(1)
  }
  if (open >= 0) throw new Error('a generation tag of the chat template is not closed')
  return { text, spans }
}
