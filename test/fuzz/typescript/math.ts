/** The verifier of mathematics: any two texts get a verdict. */
import assert from 'node:assert/strict'
import { checkAnswer } from '../../../lib/rewards/accuracy.ts'
import { isEquivalent } from '../../../lib/rewards/equivalence.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateText, type Random } from '../mutate.ts'

const SEEDS = [
  '\\boxed{\\frac{\\pi}{3}}',
  '정답: 1억 2천만 원',
  '[0, 1) \\cup (2, \\infty)',
  '\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}',
  'x = \\sqrt{2} \\pm 1.5e-3',
  '3시간 20분',
  '10^{10^{10}}',
  '\\binom{100}{50} + 5! - |{-3}|',
  '답은 3과 4입니다.',
  '0.\\overline{142857}',
]
const words = [
  ...[
    '\\frac{',
    '}{',
    '}',
    '{',
    '^',
    '_',
    '\\sqrt{',
    '10^',
    '!',
    '만',
    '억',
    '조',
    '반',
    '분의',
    ' 개',
    '%',
  ],
  ...[
    '\\pm',
    '\\cup',
    '(',
    ')',
    '[',
    ']',
    '|',
    ',',
    '.',
    '=',
    '<',
    '-',
    '+',
    '\\cdot',
    '/',
    'e9',
    '999999',
  ],
  ...[
    '<think>',
    '</think>',
    '정답:',
    '\\boxed{',
    '\\text{',
    '또는',
    ' and ',
    '일',
    '이',
    '천',
    '백',
  ],
]

export const target: FuzzTarget = {
  name: 'math',
  make: (random: Random) => ({
    gold: mutateText(random, random.pick(SEEDS), words, 3000),
    answer: mutateText(random, random.pick(SEEDS), words, 8000),
  }),
  run({ gold, answer }: { gold: string; answer: string }) {
    assert.ok([0, 1].includes(checkAnswer(gold, answer)))
    assert.equal(typeof isEquivalent(gold, answer), 'boolean')
  },
}
