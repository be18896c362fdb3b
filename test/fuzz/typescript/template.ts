/**
 * Chat templates: refused, stopped at their bounds, or text. A template reaches nothing of the process:
 * names of constructors and prototypes give nothing, and what JavaScript prints of its own functions
 * and globals never comes out.
 */
import assert from 'node:assert/strict'
import { compileMarked, renderMarked } from '../../../lib/data/generation-spans.ts'
import { Template } from '../../../lib/data/template-engine.ts'
import { QWEN3_TRAINING_TEMPLATE } from '../../../lib/data/training-template.ts'
import { KogrpoError, messageOf } from '../../../lib/errors.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateText, type Random, WORDS } from '../mutate.ts'

const SEEDS = [
  QWEN3_TRAINING_TEMPLATE,
  '{{ messages[0].content.constructor.constructor("return process")() }}',
  '{% set ns = namespace(a=1) %}{% for m in messages %}{% set ns.a = ns.a + 1 %}{{ ns.__proto__ }}{% endfor %}',
  '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(messages) }}',
  '{% for i in range(10) %}{{ messages | tojson }}{{ "a" ~ i * 3 | string }}{% endfor %}',
  '{{ messages | map(attribute="constructor") | list }}{{ raise_exception.constructor }}{{ range["prototype"] }}',
  '{% set x = "ab" %}{% for i in range(40) %}{% set x = x ~ x %}{% endfor %}{{ x }}',
]
const words = [
  ...WORDS,
  ...[
    '{{ ',
    ' }}',
    '{% ',
    ' %}',
    '{% for x in ',
    '{% endfor %}',
    '{% if ',
    '{% endif %}',
    '{% set x = ',
  ],
  ...[
    'messages',
    '.constructor',
    '["constructor"]',
    '.__proto__',
    '.prototype',
    'globalThis',
    'process',
  ],
  ...[
    'range(',
    '10**9',
    'self',
    '|tojson',
    '|list',
    '|join(',
    '|map(',
    '[::-1]',
    ' ~ ',
    ' * ',
    ')',
    'x',
  ],
]
const MESSAGES = [
  { role: 'user', content: 'q', tool_calls: [{ function: { name: 'f', arguments: { x: 1 } } }] },
  { role: 'assistant', content: '<think>\nr\n</think>\n\na', reasoning_content: 'r' },
]
const LEAKS = /\[native code\]|=>\s*\{|function \w*\(|\[object (?:process|global)/

export const target: FuzzTarget = {
  name: 'template',
  make: (random: Random) => mutateText(random, random.pick(SEEDS), words),
  run(source: string) {
    const variables = { messages: MESSAGES, tools: null, add_generation_prompt: true }
    const texts: string[] = []
    for (const render of [
      () => new Template(source).render(variables),
      () => renderMarked(compileMarked(source), variables).text,
    ]) {
      try {
        texts.push(render())
      } catch (error) {
        // ChatTemplate makes an error of kogrpo of every one of these.
        assert.ok(error instanceof Error, String(error))
        new KogrpoError('E_CHAT_TEMPLATE', messageOf(error))
      }
    }
    for (const text of texts) if (!LEAKS.test(source)) assert.doesNotMatch(text, LEAKS)
  },
}
