/** JSONL data files, cut into chunks anywhere, and the conversations in them. */
import { toConversation } from '../../../lib/data/columns.ts'
import { parseJsonl } from '../../../lib/data/readers.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, mutateJsonText, type Random, WORDS } from '../mutate.ts'

const RECORDS = [
  {
    messages: [
      { role: 'system', content: 's' },
      { role: 'user', content: '질문' },
      { role: 'assistant', content: '답', reasoning_content: '생각' },
    ],
  },
  { prompt: 'q', completion: 'a', answer: '42', tools: [{ type: 'function' }] },
  { text: '본문', meta: { a: [1, 2.5, null] } },
  { prompt: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }], completion: '' },
]
const words = [
  ...WORDS,
  'messages',
  'prompt',
  'completion',
  'text',
  'role',
  'content',
  'system',
  'tools',
]

export const target: FuzzTarget = {
  name: 'jsonl',
  make(random: Random) {
    const lines = Array.from({ length: 1 + random.below(4) }, () =>
      mutateJsonText(random, random.pick(RECORDS), words),
    )
    const bytes = Buffer.from(lines.join(random.pick(['\n', '\r\n', '\n\n'])))
    return {
      bytes: random.chance(2) ? mutateBytes(random, bytes) : bytes,
      size: 1 + random.below(300),
    }
  },
  async run({ bytes, size }: { bytes: Buffer; size: number }) {
    async function* chunks(): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    }
    for await (const source of parseJsonl(chunks(), 'f.jsonl', { maxLineBytes: 30_000 })) {
      toConversation(source)
      JSON.stringify(source.record)
    }
  },
}
