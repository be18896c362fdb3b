import { expect, test } from 'vitest'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import type { Rollout } from '../../lib/rollout/rollout.ts'
import { completionRows } from '../../lib/train/completion-metrics.ts'
import type { Scores } from '../../lib/train/scoring.ts'
import { modelPath } from '../../lib/train/sources.ts'

test('token_ends cut the completion where its tokens end, within characters too', async () => {
  const tokenizer = await Tokenizer.load(modelPath('builtin:mini'))
  // A rare syllable is several tokens of bytes; the stop token has no text.
  const tokens = Int32Array.from([...tokenizer.encode('정답: 뷁 3원'), tokenizer.eosIds[0]!])
  const text = tokenizer.decode(tokens, { skipSpecial: true })
  const rollout = {
    ...{ tokens, text, truncated: false, finishReason: 'stop' as const },
    logprobs: Float32Array.from(tokens, (_, i) => -i / 3),
    prompt: { promptIds: new Int32Array(1), messages: [], extra: {}, file: 'f', line: 1 },
  } satisfies Rollout
  const scores = {
    ...{ names: [], values: [], verdicts: null, metrics: {}, totals: [1] },
    advantages: Float32Array.of(0),
  } as unknown as Scores
  const [plain] = completionRows(1, [rollout], scores, null)
  expect(plain).not.toHaveProperty('token_ends')
  const [row] = completionRows(1, [rollout], scores, tokenizer)
  const ends = row!.token_ends as number[]
  expect(ends).toHaveLength(tokens.length)
  expect(ends.at(-1)).toBe(text.length)
  expect(ends.at(-2)).toBe(text.length)
  expect(ends.every((end, i) => end >= (ends[i - 1] ?? 0))).toBe(true)
  // Several tokens make one syllable: some ends repeat, and pieces join to the text.
  expect(new Set(ends).size).toBeLessThan(ends.length - 1)
  expect(ends.map((end, i) => text.slice(ends[i - 1] ?? 0, end)).join('')).toBe(text)
  expect((row!.token_logprobs as number[])[1]).toBe(-0.3333)
})
