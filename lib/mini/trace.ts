/**
 * From a chain of steps to a reasoning trace in English or Korean. A `careful` trace writes one
 * sentence per step; a `terse` one writes the whole chain as a single expression and its value
 * ("20000-3×2000=14000"), which a small model finds much harder to evaluate. A flawed trace holds
 * one mistake of the kind a careless teacher makes and carries it through to its answer.
 */
import { inKoreanUnits, josa } from './korean.ts'
import type { Random } from './random.ts'
import type { Operand, Operator, Step, Unit } from './template.ts'

export type Language = 'english' | 'korean'

/** A step with its operands and result as numbers. */
interface Evaluated {
  readonly step: Step
  readonly left: number
  readonly right: number
  readonly value: number
}

/** A chain as a trace tells it: right, or with one mistake. */
export interface Chain {
  readonly steps: readonly Evaluated[]
  /** The stated answer. */
  readonly value: number
  readonly unit: Unit
}

export interface Trace {
  readonly thinking: string
  /** The line after the thinking, Korean in both languages: "정답: 6000원". */
  readonly answer: string
}

/** One operation on numbers. */
export function apply(op: Operator, left: number, right: number): number {
  switch (op) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '×':
      return left * right
    case '÷':
      return left / right
  }
}

/**
 * Values of all steps in order. `slip` replaces the result of one step by another number, which
 * later steps then use.
 */
export function evaluate(steps: readonly Step[], slip?: { index: number; value: number }): Chain {
  const done: Evaluated[] = []
  const number = (operand: Operand): number =>
    typeof operand === 'number' ? operand : done[operand.step]!.value
  steps.forEach((step, index) => {
    const [left, right] = [number(step.left), number(step.right)]
    const value = slip?.index === index ? slip.value : apply(step.op, left, right)
    done.push({ step, left, right, value })
  })
  const last = done[done.length - 1]!
  return { steps: done, value: last.value, unit: last.step.unit }
}

/** The chain as one expression with the fewest parentheses, for example "20000-(3×2000+500)". */
export function composedExpression(steps: readonly Step[]): string {
  const render = (operand: Operand, parent: Operator, side: 'left' | 'right'): string => {
    if (typeof operand === 'number') return String(operand)
    const inner = steps[operand.step]!
    const text = expression(inner)
    const additive = inner.op === '+' || inner.op === '-'
    const binds =
      parent === '+' ||
      (parent === '-' && (side === 'left' || !additive)) ||
      ((parent === '×' || parent === '÷') && !additive && side === 'left')
    return binds ? text : `(${text})`
  }
  const expression = (step: Step): string =>
    render(step.left, step.op, 'left') + step.op + render(step.right, step.op, 'right')
  return expression(steps[steps.length - 1]!)
}

const isPlain = (value: number): boolean => Number.isInteger(value) && value > 0

/** A number near `value` that a slip of the pen could give: one digit off by one or two. */
function misread(random: Random, value: number): number {
  const text = String(value)
  // The last digits of a round number stay zero: slips happen where the work is.
  const busy = text.replace(/0+$/, '').length
  const place = 10 ** (text.length - 1 - random.int(Math.max(0, busy - 2), Math.max(0, busy - 1)))
  const delta = random.pick([1, -1, 1, -1, 2, -2]) * place
  return value + delta > 0 ? value + delta : value + Math.abs(delta)
}

/**
 * The chain with one mistake and a wrong answer: mostly a slip in one result, sometimes the last
 * step forgotten.
 */
export function flaw(random: Random, steps: readonly Step[]): Chain {
  const right = evaluate(steps)
  if (steps.length > 1 && random.chance(0.3)) {
    const kept = right.steps.slice(0, -1)
    const value = kept[kept.length - 1]!.value
    if (value !== right.value) return { steps: kept, value, unit: right.unit }
  }
  for (let attempt = 0; attempt < 8; attempt++) {
    const index = random.int(0, steps.length - 1)
    const value = misread(random, right.steps[index]!.value)
    const chain = evaluate(steps, { index, value })
    if (chain.value !== right.value && chain.steps.every(step => isPlain(step.value))) return chain
  }
  const index = steps.length - 1
  return evaluate(steps, { index, value: misread(random, right.value) })
}

interface Frame {
  /** Before the label, by position: only, first, middle or last step. */
  readonly lead: (index: number, count: number) => string
  readonly korean: (label: string, sum: string) => string
  readonly english: (label: string, sum: string, leading: boolean) => string
}

const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1)

const PLAIN: Frame = {
  lead: () => '',
  korean: (label, sum) => `${label}: ${sum}.`,
  english: (label, sum) => `${capital(label)}: ${sum}.`,
}
const SENTENCE: Frame = {
  lead: () => '',
  korean: (label, sum) => `${josa(label, '은/는')} ${sum}이다.`,
  english: (label, sum) => `The ${label} is ${sum}.`,
}
const ORDERED: Frame = {
  lead: (index, count) => (index === 0 ? 'first' : index === count - 1 ? 'last' : 'next'),
  korean: SENTENCE.korean,
  english: (label, sum) => `the ${label} is ${sum}.`,
}
const FRAMES: readonly Frame[] = [PLAIN, SENTENCE, ORDERED]
const LEADS: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  korean: { first: '먼저 ', next: '다음으로 ', last: '따라서 ' },
  english: { first: 'First, ', next: 'Next, ', last: 'So ' },
}

function sentence(
  frame: Frame,
  language: Language,
  position: { index: number; count: number },
  label: string,
  sum: string,
): string {
  const lead = LEADS[language][frame.lead(position.index, position.count)] ?? ''
  return (
    lead +
    (language === 'korean' ? frame.korean(label, sum) : frame.english(label, sum, lead !== ''))
  )
}

/** "정답: 6000원", or with probability `unitAnswer` "정답: 6천원" where the sum allows it. */
function answerLine(random: Random, chain: Chain, unitAnswer: number): string {
  const units = chain.unit.ko === '원' ? inKoreanUnits(chain.value) : null
  const written = random.chance(unitAnswer) && units !== null ? units : String(chain.value)
  return `정답: ${written}${chain.unit.ko}`
}

/**
 * The answer as other teachers tell it: a sentence instead of the marked line, or the results of
 * the steps repeated before the line.
 */
function wordedAnswer(random: Random, chain: Chain, line: string): string {
  const amount = ({ value, step }: Evaluated): string => `${value}${step.unit.ko}`
  if (chain.steps.length < 2 || random.chance(0.4)) {
    return `${line.replace('정답: ', '')}입니다.`
  }
  return `${chain.steps.map(done => `${done.step.ko} ${amount(done)}`).join(', ')}. ${line}`
}

/** How traces are told; probabilities in [0, 1]. */
interface TraceStyle {
  readonly terse: boolean
  readonly unitAnswer: number
  /** Probability that the answer is told in other words; see `wordedAnswer`. */
  readonly variedAnswer: number
}

/**
 * The chain told in one language. Only `random` decides the phrasing, so the same stream gives
 * both languages the same frame.
 */
export function writeTrace(
  random: Random,
  chain: Chain,
  language: Language,
  style: TraceStyle,
): Trace {
  const frame = random.pick(FRAMES)
  const amount = (value: number, unit: Unit): string =>
    language === 'korean' ? `${value}${unit.ko}` : `${value} ${unit.en}`
  const label = (step: Step): string => (language === 'korean' ? step.ko : step.en)
  const line = answerLine(random, chain, style.unitAnswer)
  const answer =
    style.variedAnswer > 0 && language === 'korean' && random.chance(style.variedAnswer)
      ? wordedAnswer(random, chain, line)
      : line
  if (style.terse && chain.steps.length > 1) {
    const steps = chain.steps.map(done => done.step)
    const sum = `${composedExpression(steps)}=${amount(chain.value, chain.unit)}`
    const plainest = frame === ORDERED ? SENTENCE : frame
    const last = label(steps[steps.length - 1]!)
    return { thinking: sentence(plainest, language, { index: 0, count: 1 }, last, sum), answer }
  }
  const count = chain.steps.length
  const told = count === 1 && frame === ORDERED ? SENTENCE : frame
  const sentences = chain.steps.map((done, index) => {
    const sum = `${done.left}${done.step.op}${done.right}=${amount(done.value, done.step.unit)}`
    return sentence(told, language, { index, count }, label(done.step), sum)
  })
  return { thinking: sentences.join(' '), answer }
}
