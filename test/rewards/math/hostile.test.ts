/** Anything at all as gold and answer: a verdict, never an exception, in bounded time. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accuracyReward, checkAnswer } from '../../../lib/rewards/accuracy.ts'
import { isEquivalent } from '../../../lib/rewards/equivalence.ts'
import { processorMs } from '../../processor-time.ts'

/** Pieces that lead deep into every reader. */
const PIECES = [
  ...'0123456789.,;/-+×^{}()[]|\\$%:=<>!_~° \n\'"',
  ...'만억천백십일이삼한두열분의시원개반과와점',
  ...'xyzabieπ√∞∪∈≤±∫½²',
  ...['\\frac', '\\frac{', '\\sqrt', '\\sqrt[', '\\boxed{', '\\begin{pmatrix}', '\\end{pmatrix}'],
  ...['\\\\', '&', '\\left', '\\right', '\\sin', '\\log_', '\\int', '\\sum_{', '\\lim_{', 'dx'],
  ...['\\pm', '\\cup', '\\in', '\\overline{', '\\text{', '\\{', '\\}', '\\lvert', '\\binom', '!'],
  ...[
    '정답:',
    '오후 ',
    ' and ',
    ' or ',
    '또는',
    '마이너스 ',
    '시속 ',
    '<think>',
    '</think>',
    'e9',
    '10^',
  ],
]
const mixture = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...PIECES), { maxLength }).map(parts => parts.join(''))
const anything = fc.oneof(
  { weight: 8, arbitrary: mixture(25) },
  { weight: 1, arbitrary: mixture(150) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 60 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
)
/** The longest that one comparison may take, of processor time. */
const SECONDS = 2

describe('hostile input', () => {
  it('10,000 random pairs: a verdict each', () => {
    let slowest = 0
    fc.assert(
      fc.property(anything, anything, (gold, answer) => {
        const started = processorMs()
        const verdict = checkAnswer(gold, answer)
        const same = isEquivalent(gold, gold)
        slowest = Math.max(slowest, processorMs() - started)
        expect([0, 1]).toContain(verdict)
        expect([true, false]).toContain(same)
      }),
      { numRuns: 10_000, seed: 3 },
    )
    expect(slowest).toBeLessThan(SECONDS * 1000)
  })

  const deep = (open: string, close: string, n: number, core = '1'): string =>
    open.repeat(n) + core + close.repeat(n)
  const hostile: Record<string, string> = {
    'tower of powers': '10^10^10',
    'taller tower': '9^9^9^9^9^9',
    'braced tower': '10^{10^{10^{10}}}',
    'factorial tower': '9!!!!!!!!!!',
    'large factorial': '(10^9)!',
    'giant digits': '9'.repeat(900),
    'giant fraction': `${'7'.repeat(400)}/${'3'.repeat(400)}`,
    'giant exponent': '2^{99999999999999999999}',
    'negative giant exponent': '0.5^{-99999999999}',
    'giant decimal exponent': '1e9999',
    'many powers': Array.from({ length: 80 }, (_, i) => `(x+${i})^{99}`).join(''),
    'division by zero': '1/0',
    'zero to minus one': '0^{-1}',
    'deep parentheses': deep('(', ')', 450),
    'deep fractions': deep('\\frac{1}{', '}', 90),
    'deep roots': deep('\\sqrt{', '}', 110),
    'deep unclosed': '\\frac{'.repeat(160),
    'deep bars': '|'.repeat(900),
    'deep minus': `${'-'.repeat(900)}1`,
    'deep functions': `${'\\sin '.repeat(180)}x`,
    'deep sets': deep('\\{', '\\}', 300),
    'many plus-minus': Array.from({ length: 200 }, () => '\\pm 1').join(''),
    'nested plus-minus': deep('(1\\pm ', ')', 30),
    'sum of sums': '\\sum_{a=1}^{999}\\sum_{b=1}^{999}\\sum_{c=1}^{999} abc',
    'long list': Array.from({ length: 240 }, (_, i) => i % 10).join(', '),
    'long set': `\\{${Array.from({ length: 240 }, (_, i) => `x^{${i}}`).join(',')}\\}`.slice(
      0,
      990,
    ),
    'wide matrix': `\\begin{pmatrix}${'1&'.repeat(240)}1\\end{pmatrix}`,
    'matrix power': Array.from(
      { length: 18 },
      () => '\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}',
    ).join(''),
    'commas and digits': '1,'.repeat(480),
    'spaced digits': '1 '.repeat(480),
    'mixed fractions': '1 1/'.repeat(240),
    backslashes: '\\'.repeat(900),
    equals: 'x='.repeat(480),
    'Korean magnitudes': '만억조천백십'.repeat(160),
    'Korean words': '열하나 '.repeat(240),
    hedges: '12 또는 '.repeat(160),
    dollars: '$'.repeat(900),
    delimiters: '\\[\\('.repeat(240),
    carets: '2^'.repeat(480),
    gcd: `\\gcd(${'9'.repeat(450)}, ${'6'.repeat(450)})`,
    binomial: '\\binom{999}{500}\\binom{999}{500}\\binom{999}{500}',
    integrals: '\\int '.repeat(190),
    limits: '\\lim_{x \\to '.repeat(80),
  }

  it.each(Object.entries(hostile))('%s', (_name, text) => {
    const started = processorMs()
    for (const [gold, answer] of [
      [text, text],
      ['12', text],
      [text, '12'],
      ['x^2 + 1', text],
      ['\\{1, 2\\}', text],
      ['12', `정답: ${text}`],
      ['12', `\\boxed{${text}}`],
      ['12', text.repeat(20)],
    ] as const) {
      expect([0, 1]).toContain(checkAnswer(gold, answer))
    }
    expect(processorMs() - started).toBeLessThan(SECONDS * 1000)
  })

  it('long repetitions of every piece', () => {
    for (const piece of PIECES) {
      const started = processorMs()
      for (const text of [piece.repeat(20_000), `정답: ${piece.repeat(20_000)}`]) {
        expect([0, 1]).toContain(checkAnswer('12', text))
      }
      expect(processorMs() - started, piece).toBeLessThan(SECONDS * 1000)
    }
  })

  it('values too large to compute are equal by form only', () => {
    expect(isEquivalent('10^{10^{10}}', '10^{10^{10}}')).toBe(true)
    expect(isEquivalent('10^{10^{10}}', '10^{10^{11}}')).toBe(false)
    expect(isEquivalent('(10^9)!', '(10^8)!')).toBe(false)
    expect(isEquivalent('2^{100}', '1267650600228229401496703205376')).toBe(true)
    expect(isEquivalent('2^{100}', '1267650600228229401496703205377')).toBe(false)
  })

  it('nothing is run: code in an answer is text', () => {
    const globals = globalThis as Record<string, unknown>
    const attack = '(globalThis.pwned = 1)'
    for (const text of [
      attack,
      `\${${attack}}`,
      'constructor()',
      '__proto__',
      `toString`,
      'hasOwnProperty',
    ]) {
      expect(checkAnswer('7', `정답: ${text}`)).toBe(0)
      expect(isEquivalent(text, text)).toBe(true)
    }
    expect(globals.pwned).toBeUndefined()
  })

  it('a regular expression that backtracks without end gives null in time', async () => {
    const reward = accuracyReward({ kind: 'regex', regex_timeout_ms: 500 })
    const started = performance.now()
    const values = await reward({
      prompts: [[], [], []],
      completions: [`${'a'.repeat(60)}b`, '정답: 12 apples', 'none'],
      completionIds: [new Int32Array(1), new Int32Array(1), new Int32Array(1)],
      truncated: [false, false, false],
      columns: { answer: ['^(a+)+$', '/\\d+ APPLES?/i', '\\d+'] },
    })
    expect(values).toEqual([null, 1, 0])
    expect(performance.now() - started).toBeLessThan(20_000)
  })
})
