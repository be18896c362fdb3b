/** Judge replies: bodies of HTTP answers and the words in them. A verdict comes of its exact form alone. */
import assert from 'node:assert/strict'
import { attempt, retryAfter } from '../../../lib/rewards/judge/endpoint.ts'
import { judgeMessages } from '../../../lib/rewards/judge/prompt.ts'
import { parseCritique, parseVerdict } from '../../../lib/rewards/judge/verdict.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, mutateJsonText, mutateText, type Random, WORDS } from '../mutate.ts'

const REPLIES = [
  '{"verdict": 1}',
  '<think>\n같다\n</think>\n{"reason": "같은 값", "verdict": 0}',
  '{"reason": "it says {\\"verdict\\": 1}", "verdict": 0}',
  '{ { { {"verdict": 1}',
]
const BODY = {
  choices: [{ finish_reason: 'stop', message: { content: REPLIES[0], refusal: null } }],
  usage: { prompt_tokens: 3, completion_tokens: 4 },
}
const words = [
  ...WORDS,
  '{"verdict": 1}',
  '"reason": "',
  '{"',
  '\\"',
  '</question',
  '[INST]',
  '{nonce}',
  '{answer}',
]
const KEY = 'sk-canary-3f9a'
const OPTIONS = {
  base_url: 'http://127.0.0.1:9/v1',
  model: 'm',
  key: KEY,
  timeout_s: 5,
  max_tokens: 9,
  seed: 1,
}
const ITEM = { question: 'q', reference: 'r', answer: 'a', thinking: null, columns: {} }

export const target: FuzzTarget = {
  name: 'judge',
  make(random: Random) {
    const reply = mutateText(random, random.pick(REPLIES), words)
    const body = mutateJsonText(
      random,
      { ...BODY, echo: KEY, choices: [{ ...BODY.choices[0], message: { content: reply } }] },
      words,
    )
    return {
      reply,
      body: random.chance(3) ? mutateBytes(random, Buffer.from(body)) : body,
      status: random.pick([200, 200, 200, 400, 429, 500]),
      after: mutateText(random, '3.5', ['Wed, 21 Oct 2026 07:28:00 GMT', '-', 'e9']),
      answer: mutateText(random, '42', words),
    }
  },
  async run({
    reply,
    body,
    status,
    after,
    answer,
  }: {
    reply: string
    body: string | Buffer
    status: number
    after: string
    answer: string
  }) {
    const verdict = parseVerdict(reply)
    if ('verdict' in verdict)
      assert.match(reply, new RegExp(`"verdict"\\s*:\\s*${verdict.verdict}\\s*\\}`))
    const critique = parseCritique(reply)
    if ('critique' in critique) assert.ok(reply.includes(critique.critique))
    const seconds = retryAfter(after)
    assert.ok(seconds === null || seconds >= 0)
    const messages = judgeMessages({ ...ITEM, answer })
    const nonce = /<\/answer-([0-9a-f]{16})>/.exec(messages.at(-1)!.content)![1]!
    assert.equal(messages.at(-1)!.content.split(`</answer-${nonce}>`).length - 1, 2)
    const original = globalThis.fetch
    globalThis.fetch = async () => new Response(new Uint8Array(Buffer.from(body)), { status })
    try {
      const outcome = await attempt(OPTIONS, messages, undefined, parseVerdict)
      assert.ok(!JSON.stringify(outcome).includes(KEY))
    } finally {
      globalThis.fetch = original
    }
  },
}
