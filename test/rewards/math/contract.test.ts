/** The clauses of docs/rewards.md, each with cases on both sides. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkAnswer } from '../../../lib/rewards/accuracy.ts'
import { isEquivalent } from '../../../lib/rewards/equivalence.ts'

interface Clause {
  equal: [gold: string, answer: string][]
  unequal: [gold: string, answer: string][]
}

const clauses: Record<string, Clause> = {
  value: {
    equal: [
      ['1/2', '\\frac{2}{4}'],
      ['12', '3 \\times 4'],
      ['120', '5!'],
      ['10', '(9+1)'],
      ['\\frac{5\\sqrt{42}}{27}', '\\frac{10\\sqrt{10.5}}{27}'],
      ['2\\sqrt{2}', '\\sqrt{8}'],
      ['\\frac{\\sqrt{2}}{2}', '\\frac{1}{\\sqrt2}'],
      ['\\frac{\\pi}{6}', '30\\pi/180'],
      ['3', '\\log_2 8'],
      ['2', '\\log 100'],
      ['2', '\\ln e^2'],
      ['1/2', '\\sin\\frac{\\pi}{6}'],
      ['-1', 'e^{i\\pi}'],
      ['7', '|-7|'],
      ['10', '\\binom{5}{2}'],
      ['55', '\\sum_{k=1}^{10} k'],
      ['-2', '\\sqrt[3]{-8}'],
      ['8', '4^{3/2}'],
      ['1/8', '2^{-3}'],
      ['1/3', '0.\\overline{3}'],
      ['102', '204_7'],
      ['3√2', '3\\sqrt{2}'],
      ['2π', '2\\pi'],
      ['5²', '25'],
      ['x^2', 'x**2'],
      ['8\\pi', '8π㎠'],
    ],
    unequal: [
      ['1/2', '2/3'],
      ['2\\sqrt{3}', '2'],
      ['4', '4\\sqrt{2}'],
      ['2', '\\frac{1+\\sqrt{5}}{2}'],
      ['\\pi', '3.14'],
      ['1', '1\\sqrt{19}'],
      ['5', '-5'],
      ['5', '|-6|'],
      ['0', '1/0'],
      ['6', '3!!'.replace('!!', '!+1')],
    ],
  },
  integer: {
    equal: [
      ['123456789012345678901234567890', '123456789012345678901234567890.0'],
      ['004', '4'],
    ],
    unequal: [
      ['123456789012345678901234567890', '123456789012345678901234567891'],
      ['1000000', '1000001'],
      ['-85', '12345'],
      ['-85', '85'],
      ['-85', '-84'],
      ['-1/2', '7'],
      ['-5℃', '5℃'],
      ['10', '1 0'],
      ['54', '3 1 6 3'],
      ['3 1 6 3', '1 6 3 3'],
      ['13', '12 13'],
      ['72', '7.2'],
    ],
  },
  decimal: {
    equal: [
      ['1/3', '0.333333'],
      ['\\frac{1}{12}', '0.0833333333333333'],
      ['\\sqrt{2}', '1.414214'],
      ['\\pi', '3.14159265'],
      ['2.50', '2.5'],
      ['(1,\\frac{9}{2})', '(1,4.5)'],
    ],
    unequal: [
      ['1/3', '0.33'],
      ['1/3', '0.3334'],
      ['16386.20', '16386.17'],
      ['0.0000001', '0.0000002'],
      ['0.5', '0.50001'],
    ],
  },
  'decimal-comma': {
    equal: [
      ['1000.99', '1000,99'],
      ['1,22', '1.22'],
      ['0,111', '0.111'],
      ['2.74', '2,74 €'],
    ],
    unequal: [
      ['1.22', '1, 22'],
      ['12.5', '12,6'],
      ['3', '3,4'],
    ],
  },
  thousands: {
    equal: [
      ['7425000', '7,425,000'],
      ['14916', '14{,}916'],
      ['16386.2', '16,\\!386.20'],
      ['1000', '1 000'],
      ['32349', '32, 349'],
      ['1,234.5', '1234.5'],
    ],
    unequal: [
      ['1234', '1,2,3,4'],
      ['100200', '\\{100,200\\}'],
      ['1234', '12,34'],
    ],
  },
  percent: {
    equal: [
      ['28\\%', '28 percent'],
      ['28\\%', '28'],
      ['28\\%', '0.28'],
      ['20\\%', '\\frac{1}{5}'],
      ['28\\%', '28 pct'],
      ['12.5', '12.5\\%'],
    ],
    unequal: [
      ['28', '0.28'],
      ['28\\%', '2.8'],
      ['28\\%', '28/10\\%'],
    ],
  },
  'mixed-number': {
    equal: [
      ['3/2', '1 1/2'],
      ['3/2', '1\\frac{1}{2}'],
      ['12\\frac{3}{5}', '63/5'],
      ['-3/2', '-1\\frac12'],
      ['1.5', '1½'],
    ],
    unequal: [
      ['1/2', '1\\frac{1}{2}'],
      ['1\\frac{1}{10}', '1\\frac{8}{91}'],
    ],
  },
  name: {
    equal: [
      ['5', 'x = 5'],
      ['x = 5', '5'],
      ['x = 5', 'k = 5'],
      ['5', 'f(2) = 5'],
      ['1', '|AB| = 1'],
      ['\\frac{1}{\\sqrt6}', '\\frac{NO}{BO} = \\frac{1}{\\sqrt{6}}'],
      ['(3, 2)', '(p, q) = (3, 2)'],
      ['\\frac{\\pi}{3}', '\\angle C = \\frac{\\pi}{3}'],
      ['(0, 1)', 'D = (0, 1)'],
      ['2x+1', 'y = 2x + 1'],
      ['[0, 1]', 'x \\in [0, 1]'],
    ],
    unequal: [
      ['5', 'x = 6'],
      ['5', '2x = 5'],
      ['5', '-x = 5'],
      ['5', 'x^2 = 5'],
      ['5', 'x + 1 = 5'],
      ['2x + z = 1', '1'],
      ['a^2 + b = 0', '0'],
    ],
  },
  chain: {
    equal: [
      ['11', 'x = 5+5+1 = 11'],
      ['1/3', 'x = 1/3 \\approx 0.33'],
      ['7', '3 + 4 = 7'],
      ['120', '5 \\times 6 \\times 4 = 120'],
    ],
    unequal: [
      ['5', 'x = 5 = 6'],
      ['3', '3 + 4 = 7'],
    ],
  },
  equation: {
    equal: [
      ['34x+45y-20z+100=0', '-34x-45y+20z-100=0'],
      ['2x+4y-3=0', 'y=-\\frac{1}{2}x+\\frac{3}{4}'],
      ['x^2/4+y^2/3=1', '3x^2+4y^2=12'],
      ['y = 2x + 1', '2x - y + 1 = 0'],
      ['\\frac{x^{2}}{2} - \\frac{y^{2}}{4}=1', '2x^2 - y^2 = 4'],
    ],
    unequal: [
      ['5x - 7y + 11z + 4 = 0', 'x + y - z + 2 = 0'],
      ['y = 2x + 1', 'y = 2x - 1'],
      ['x^2 + y^2 = 1', 'x^2 + y^2 = 2'],
      ['f(y) = y', 'f(x) = x'],
    ],
  },
  inequality: {
    equal: [
      ['x \\geq 5', '5 \\leq x'],
      ['x < 1', '-x > -1'],
      ['x >= 5', '[5, \\infty)'],
      ['x < 3', '(-\\infty, 3)'],
      ['-2 \\le x \\le 7', '[-2, 7]'],
      ['-793 < a < 10', '(-793, 10)'],
      ['0 < f(x) < 1', '(0, 1)'],
      ['x \\neq 3', 'x != 3'],
      ['2x > 4', 'x > 2'],
      ['c < a < b', 'b > a > c'],
    ],
    unequal: [
      ['x > 5', 'x \\ge 5'],
      ['x > 5', 'x < 5'],
      ['x < 1', 'x > -1'],
      ['-2 \\le x \\le 7', '[-2, 7)'],
      ['x \\neq 3', 'x = 3'],
      ['c < a < b', 'a < c < b'],
      ['x > 5', '5'],
    ],
  },
  interval: {
    equal: [
      ['[0,1)', '[0, 1)'],
      ['(\\frac{3}{5}, \\frac{8}{3}]', '(0.6, 8/3]'],
      ['(-\\infty,0)\\cup(0,1)', '(0,1)\\cup(-\\infty,0)'],
      ['(1, +\\infty)', '(1, \\infty)'],
      ['[e,7]', '[e, 7]'],
      ['\\{-1\\}\\cup[0,7)', '[0,7) \\cup \\{-1\\}'],
    ],
    unequal: [
      ['[0,9)', '[0,1)'],
      ['(0,9)', '[0,9)'],
      ['1', '-[0,1)'],
      ['(-\\infty, 0)\\cup(0,1)', '(-\\infty, 1)'],
      ['[-3,2]', '(-\\infty,-3]\\cup[2,\\infty)'],
    ],
  },
  'list-order': {
    equal: [
      ['1, 2, 3', '1,2,3'],
      ['0.1, 4, 2', '.1, 4, 2'],
      ['x = -5, p = \\frac{14}{3}', '-5, \\frac{14}{3}'],
      ['a_3 = 2, a_{37} = 19', 'a_{37} = 19, a_3 = 2'],
    ],
    unequal: [
      ['10, 4, -2', '4, 10, -2'],
      ['1, 2, 3', '1, 2'],
      ['x = 1, y = 2', 'x = 2, y = 1'],
      ['x = 1, y = 2', '2, 1'],
    ],
  },
  solutions: {
    equal: [
      ['1 and -2', '-2, 1'],
      ['12\\text{ and }13', '13 and 12'],
      ['x = 4, -8, -10', '-10, -8, 4'],
      ['x = 1, x = 2', 'x = 2, x = 1'],
      ['(1,2), (3,4)', '(3,4), (1,2)'],
      ['(11,7) or (7,11)', '(7,11), (11,7)'],
      ['p=5,q=2;p=7,q=2', '(7,2),(5,2)'],
      ['1과 2', '2, 1'],
      ['19, 46, and 82', '82, 19 and 46'],
    ],
    unequal: [
      ['(1,2), (3,4)', '(2,1), (3,4)'],
      ['1 and 2', '1'],
      ['19, 46, and 82', '21, 36, and 82'],
      ['(1,2), (3,4)', '(1,2)'],
    ],
  },
  set: {
    equal: [
      ['\\{1, 2\\}', '\\{2, 1\\}'],
      ['\\{1, 2\\}', '1, 2'],
      ['\\{1, 2\\}', '\\{2, 1, 1\\}'],
      ['{2, -2, \\frac12}', '\\{\\frac{1}{2}, -2, 2\\}'],
      ['\\emptyset', '\\varnothing'],
      ['5', '\\{5\\}'],
    ],
    unequal: [
      ['\\{1, 2\\}', '\\{1, 3\\}'],
      ['\\{1, 2\\}', '1'],
      ['\\emptyset', '0'],
      ['\\emptyset', '\\{0\\}'],
    ],
  },
  tuple: {
    equal: [
      ['(3, 2, 7)', '3, 2, 7'],
      ['(7, 6)', '(x, y) = (7, 6)'],
      ['(0;0;1)', '(0, 0, 1)'],
      ['(3, \\frac{\\pi}{2})', '\\left( 3, \\frac{\\pi}{2} \\right)'],
    ],
    unequal: [
      ['(3, 1)', '(1, 3)'],
      ['(3, 1)', '\\{1, 3\\}'],
      ['(1, 2)', '[1, 2]'],
      ['(1, 2)', '(1, 2, 3)'],
    ],
  },
  'plus-minus': {
    equal: [
      ['\\pm 2021', '\\{-2021, 2021\\}'],
      ['1 \\pm \\sqrt{19}', '1 - \\sqrt{19}, 1 + \\sqrt{19}'],
      ['x = \\pm 3', 'x = 3 또는 x = -3'],
      ['\\{1\\pm\\sqrt{5},-2\\}', '\\{-2, 1+\\sqrt5, 1-\\sqrt5\\}'],
      ['±3', '-3, 3'],
    ],
    unequal: [
      ['\\pm 2021', '2021'],
      ['1 \\pm \\sqrt{19}', '1 \\pm \\sqrt{17}'],
    ],
  },
  ratio: {
    equal: [
      ['7:32', '14:64'],
      ['3:2:1', '6:4:2'],
      ['11:21', 'V_1:V_2 = 11:21'],
    ],
    unequal: [
      ['7:32', '32:7'],
      ['3:2:1', '3:2'],
    ],
  },
  matrix: {
    equal: [
      [
        '\\begin{pmatrix}1 & 2 \\\\3 & 4\\end{pmatrix}',
        '\\left[\\begin{array}{cc}1 & 2 \\\\3 & 4\\end{array}\\right]',
      ],
      [
        '\\begin{pmatrix}6 & 8\\end{pmatrix}',
        '\\begin{pmatrix}1 & 2\\end{pmatrix}+\\begin{pmatrix}5 & 6\\end{pmatrix}',
      ],
      ['\\begin{pmatrix}2 & 4\\end{pmatrix}', '2\\begin{bmatrix}1 & 2\\end{bmatrix}'],
      [
        '\\begin{pmatrix}\\frac{1}{3\\sqrt[3]{x}^2}&0\\end{pmatrix}',
        '\\begin{pmatrix}\\frac{1}{3x^{2/3}}&0\\end{pmatrix}',
      ],
    ],
    unequal: [
      [
        '\\begin{pmatrix}1 & 2 \\\\ 3 & 4\\end{pmatrix}',
        '\\begin{pmatrix}1 & 2 \\\\ 3 & 5\\end{pmatrix}',
      ],
      ['\\begin{pmatrix}1 & 2\\end{pmatrix}', '\\begin{pmatrix}1 \\\\ 2\\end{pmatrix}'],
      ['\\begin{pmatrix}1 & 2\\end{pmatrix}', '1'],
    ],
  },
  symbolic: {
    equal: [
      ['x+1', '1+x'],
      ['(x-2)(x+2)', 'x^2-4'],
      ['\\frac{x+2}{7}', '\\frac{x}{7}+\\frac{2}{7}'],
      ['\\tan^2(y)+1', '\\sec^2(y)'],
      ['2 \\sin b \\cos a', '\\sin(a+b) - \\sin(a-b)'],
      ['\\ln x^2', '2 \\ln x'],
      ['2-2p', '2(1-p)'],
      ['\\frac{\\pi r}{h+r}', '\\frac{r\\pi}{r+h}'],
      ['1 + \\frac{1}{3^n}', '1 + 3^{-n}'],
      ['\\frac{3}{4}i', '0.75i'],
      ['n(n+1)/2', '\\frac{n^2+n}{2}'],
      ['10^{\\frac{-5+\\sqrt{13}}{6}}', '10^{-\\frac{5 - \\sqrt{13}}{6}}'],
      ['\\cos x \\sin x', '\\frac{1}{2}\\sin 2x'],
      ['ab', 'ba'],
    ],
    unequal: [
      ['(a+5)(b+2)', '(+5)(b+2)'],
      ['x+2n+1', 'x+1'],
      ['f(x)', 'f(y)'],
      ['2', '2x'],
      ['\\sqrt{x^2}', 'x'],
      ['x^2', 'x^3'],
      ['\\sin x', '\\cos x'],
      ['x', 'y'],
      ['e^x', 'e^{2x}'],
    ],
  },
  form: {
    equal: [
      ['\\int_0^1 f(x) dx', '\\int_{0}^{1} f(x) dx'],
      ['2\\int_0^1 f(x) dx', '\\int_0^1 f(x) dx + \\int_0^1 f(x) dx'],
      ['\\sum_{n=0}^{\\infty} (n+1) x^n', '\\sum_{n=0}^{\\infty} x^n (1+n)'],
      ['10^{10^{10}}', '10^{10^{10}}'],
    ],
    unequal: [
      ['\\sum_{k=0}^{n-1} F_k F_{n-k-1}', '\\sum_{k=0}^{n-2} F_k F_{n-k-2}'],
      ['\\int_0^1 f(x) dx', '\\int_0^2 f(x) dx'],
      ['10^{10^{10}}', '10^{10^{11}}'],
    ],
  },
  units: {
    equal: [
      ['10', '10\\text{ units}'],
      ['\\frac13', '\\frac{1}{3}\\text{ meters}'],
      ['15\\mbox{ cm}^2', '15'],
      ['15\\mbox{ cm}^2', '15 cm²'],
      ['125', '125 miles'],
      ['45^\\circ', '45'],
      ['10', '\\$10'],
      ['2\\pi\\text{ cm}', '20\\pi\\text{ mm}'],
      ['100', '100 dollars'],
      ['42', '42 square units'],
      ['0.06 \\text{ yuan}', '0.06'],
    ],
    unequal: [
      ['15\\mbox{ cm}^2', '15 cm'],
      ['2\\pi\\text{ cm}', '2\\pi\\text{ m}'],
      ['10\\text{ units}', '100'],
      ['2 km', '2 kg'],
    ],
  },
  text: {
    equal: [
      ['\\text{Evelyn}', 'Evelyn'],
      ['\\text{C}', '(C)'],
      ['\\text{E}', 'E'],
      ['odd', '\\text{Odd}'],
      ['철수', '철수입니다.'],
      ['answer', 'an answer'],
      ['정보시장', '"정보시장"'],
    ],
    unequal: [
      ['\\text{Evelyn}', 'Debra'],
      ['d', '\\text{E}'],
      ['철수', '영희'],
      ['2', 'AZYUK2A'],
    ],
  },
  phrase: {
    equal: [
      ['19', 'The maximum number of points of $f(x)$ is 19.'],
      ['(7,6)', 'the ordered pair $(x, y)$ that solves the system is $(7, 6)$.'],
      ['1000.99', "it's not 10 it's 1,000.99m²"],
      ['x >= 5', 'Therefore $x \\geq 5$ is the solution.'],
      ['3', 'Jane started growing Sphere 3 hours ago'],
    ],
    unequal: [
      ['19', 'The number is not 19 but 20.'],
      ['2', 'the value is $\\frac{1+\\sqrt5}{2}$'],
      ['5', 'x > 5'],
      ['13', '12 or 13'],
      ['5', '3~5'],
      ['12', '답은 12가 아니다'],
    ],
  },
}

describe.each(Object.entries(clauses))('[%s]', (_tag, { equal, unequal }) => {
  it.each(equal)('"%s" is "%s"', (gold, answer) => {
    expect(isEquivalent(gold, answer)).toBe(true)
  })
  it.each(unequal)('"%s" is not "%s"', (gold, answer) => {
    expect(isEquivalent(gold, answer)).toBe(false)
  })
})

describe('extraction', () => {
  const extraction: Record<string, [gold: string, completion: string, verdict: 0 | 1][]> = {
    thinking: [
      ['12', '<think>정답: 12</think>모르겠습니다', 0],
      ['12', '<think>\\boxed{12}', 0],
      ['12', '\\boxed{12}<think>x</think>', 0],
      ['12', '<think>\\boxed{13}</think>\\boxed{12}', 1],
    ],
    marker: [
      ['4', '\\boxed{3} 다시 계산하면 정답: 4', 1],
      ['3', '\\boxed{3} 다시 계산하면 정답: 4', 0],
      ['4', '정답: 3\n아니, 정답: 4', 1],
      ['4', 'Answer: 4', 1],
      ['4', '답은 4입니다', 1],
      ['9', 'Answer \\[ \n 9 \n \\]', 1],
      ['14916', 'the value is $14{,}922$. Final Answer: it is $\\boxed{14{,}916}$. I hope so.', 1],
    ],
    box: [
      ['42', '\\boxed{wrong}, final \\boxed{42}', 1],
      ['\\frac{1}{2}', '\\boxed{\\frac{1}{2}}', 1],
      ['7', '\\fbox{7}', 1],
      ['1, 2', '\\boxed{1} and \\boxed{2}', 1],
      ['2', '\\boxed{1} and \\boxed{2}', 0],
      ['2', '\\boxed{1}, \\boxed{2}', 0],
      ['28\\%', '$\\boxed{28}$ pct', 1],
      ['5', '\\boxed{3} and then, better, \\boxed{5}', 1],
    ],
    last: [
      ['12', '사과 3개씩 4명이므로 12개입니다.', 1],
      ['3', '사과 3개씩 4명이므로 12개입니다.', 0],
      ['2/3', 'P(A) = 2/3 Therefore, the probability is 2/3. <|im_start|>user', 1],
      [
        '\\begin{pmatrix}1 & 0\\end{pmatrix}',
        'The matrix is $ \\begin{pmatrix}1 & 0\\end{pmatrix} $.',
        1,
      ],
    ],
  }
  for (const [tag, cases] of Object.entries(extraction)) {
    it.each(cases)(`[${tag}] gold "%s" in %j: %i`, (gold, completion, verdict) => {
      expect(checkAnswer(gold, completion)).toBe(verdict)
    })
  }

  it('docs/rewards.md has every clause, and no clause goes untested', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/rewards.md'), 'utf8')
    const written = [...text.matchAll(/^\| \[([a-z-]+)\]/gm)].map(match => match[1]!)
    const tested = [...Object.keys(clauses), ...Object.keys(extraction)]
    // Tested in korean.test.ts, kinds.test.ts and hostile.test.ts.
    const elsewhere = ['numeral-korean', 'units-time', 'units-clock', 'prose', 'bounded', 'missing']
    expect(written.toSorted()).toEqual([...tested, ...elsewhere].toSorted())
  })
})
