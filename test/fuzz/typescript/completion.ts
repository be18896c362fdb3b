/** Everything else that reads what a model wrote: thinking, answers, code, options, languages. */
import assert from 'node:assert/strict'
import { hretPartialMatch, hretStringMatch } from '../../../lib/eval/hret.ts'
import { extractAnswer } from '../../../lib/rewards/extract.ts'
import { chosenOption } from '../../../lib/rewards/kinds/choice.ts'
import { lastCodeBlock } from '../../../lib/rewards/kinds/code.ts'
import { containsAnswer } from '../../../lib/rewards/kinds/contains.ts'
import { koreanShare } from '../../../lib/rewards/korean.ts'
import { profile } from '../../../lib/rewards/language/profile.ts'
import { languageRequest } from '../../../lib/rewards/language/request.ts'
import { segments } from '../../../lib/rewards/language/segments.ts'
import { splitThinking } from '../../../lib/rewards/think.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateText, type Random, WORDS } from '../mutate.ts'

const SEEDS = [
  '<think>\n먼저 $x^2$를 구하면 4이다. Then y.\n</think>\n\n정답: **42**입니다.',
  '설명\n```python\ndef f(x):\n  return x + 1\n```\n끝 ```js\n1\n```',
  '따라서 답은 (B) 부산이다. \\boxed{3} 이고 \\boxed{4}',
  'https://example.com/a?b=c 참고: `code` $a$ \\[ b \\] 中文 日本語 русский',
  '영어로 답해 주세요. Please answer in Korean.',
]
const words = [
  ...WORDS,
  '<think>',
  '</think>',
  '```',
  '$',
  '$$',
  '\\(',
  '\\]',
  '(A)',
  '①',
  '답변:',
  'http://',
  '中',
  'あ',
  'ㅋ',
]

export const target: FuzzTarget = {
  name: 'completion',
  make: (random: Random) => mutateText(random, random.pick(SEEDS), words),
  run(text: string) {
    const { answer } = splitThinking(text)
    extractAnswer(answer)
    const chosen = chosenOption(answer, ['서울', '부산', '대구'])
    assert.ok(chosen === null || chosen >= 0)
    lastCodeBlock(answer)
    containsAnswer('부산', answer)
    koreanShare(text)
    profile(text)
    languageRequest([{ role: 'user', content: text }])
    segments(text)
    hretStringMatch(text, '42')
    hretPartialMatch(text, '42', ['41', '42'])
  },
}
