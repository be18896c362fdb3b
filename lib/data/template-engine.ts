/**
 * Jinja templates from strangers: a chat template comes with a model. The interpreter
 * (@huggingface/jinja) works on values of its own, in Maps, and gives a template no way to an object
 * of JavaScript, its constructor or its prototype; what it does not have is a bound. Here is one, in
 * steps and sizes rather than in seconds, so that it is the same on every machine: every expression
 * and statement that is evaluated is a step, no value may grow beyond a size, and what goes through values
 * element by element (a slice, a filter, a test, a call) may go through so many elements in all.
 */
import * as library from '@huggingface/jinja'

/** A value of the interpreter; `value` of a text is a string, of a list an array. */
interface RuntimeValue {
  value: unknown
}
type Program = object
interface Scope {
  set(name: string, value: unknown): unknown
}
interface InterpreterClass {
  run(program: Program): RuntimeValue
  /** Evaluates one statement or expression, and everything below it by calling itself. */
  evaluate(statement: Expression | undefined, scope: Scope): RuntimeValue
}

/** The parts that are used, with their types: the package's own declarations import each other without
 *  file extensions, which Node's module resolution for types cannot follow. */
const { Environment, Interpreter, parse, tokenize } = library as unknown as {
  Environment: new () => Scope
  Interpreter: new (scope: Scope) => InterpreterClass
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): object[]
  parse(tokens: object[]): Program
}

/** Qwen3's template takes about 60 steps a message. */
const MOST_STEPS = 5_000_000
/** Characters of a text, elements of a list. */
const MOST_SIZE = 1 << 25
const MOST_RANGE = 100_000
/** Characters of a template; those in use have up to 20,000. */
const MOST_SOURCE = 1 << 18

/** Elements that are gone through; a slice takes some 0.1 µs for each. */
const MOST_WORK = 1 << 24

/** An expression as the parser makes it. */
interface Expression {
  type?: string
  operator?: { value: string }
  property?: Expression
}

/** Whether evaluating `by` goes through the elements of its operand `value`. Texts are joined without that. */
function goesThrough(by: Expression | undefined, value: unknown): boolean {
  switch (by?.type) {
    case 'MemberExpression': // a slice, or a method of a text
      return typeof value === 'string' || by.property?.type === 'SliceExpression'
    case 'BinaryExpression':
      return !(typeof value === 'string' && /^[+~]$/.test(by.operator?.value ?? ''))
    case 'CallExpression':
    case 'FilterExpression':
    case 'TestExpression':
      return true
    default:
      return false
  }
}

class BoundedInterpreter extends Interpreter {
  #steps = 0
  #work = 0
  /** What is being evaluated: the next value is an operand of it. */
  #by: Expression | undefined

  override evaluate(statement: Expression | undefined, scope: Scope): RuntimeValue {
    if (++this.#steps > MOST_STEPS) throw new Error(`it takes more than ${MOST_STEPS} steps`)
    const by = this.#by
    this.#by = statement
    try {
      const result = super.evaluate(statement, scope)
      this.#weigh(result.value, statement, by)
      // A macro is JavaScript's function inside: printed, it would show its source.
      if (typeof result.value === 'function') result.value.toString = () => '<function>'
      return result
    } finally {
      this.#by = by // a loop's break and continue are thrown
    }
  }

  /** `made`: the expression that `value` is of; `by`: the one that it is an operand of. */
  #weigh(value: unknown, made: Expression | undefined, by: Expression | undefined): void {
    if (typeof value !== 'string' && !Array.isArray(value)) return
    if (value.length > MOST_SIZE)
      throw new Error(`it makes a value of more than ${MOST_SIZE} elements`)
    const gathered = made?.type === 'CallExpression' || made?.type === 'FilterExpression'
    this.#work += value.length * (Number(gathered) + Number(goesThrough(by, value)))
    if (this.#work > MOST_WORK) throw new Error(`it goes through more than ${MOST_WORK} elements`)
  }
}

/** A compiled template. */
export class Template {
  readonly #program: Program

  /** Throws `Error` for source that is no template. */
  constructor(source: string) {
    if (source.length > MOST_SOURCE)
      throw new Error(`it has ${source.length} characters; at most ${MOST_SOURCE} are read`)
    // As transformers compiles chat templates.
    this.#program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
  }

  /** Throws `Error` where the template does, and where it goes beyond its bounds. */
  render(variables: Readonly<Record<string, unknown>>): string {
    const scope = new Environment()
    for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) scope.set(name, value)
    return String(new BoundedInterpreter(scope).run(this.#program).value)
  }
}

/** Jinja's range; lists are whole in memory, so it is bounded. */
function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop]
  const length = Math.max(0, Math.ceil((to - from) / step))
  if (!(length <= MOST_RANGE)) throw new Error(`range() gives at most ${MOST_RANGE} numbers`)
  return Array.from({ length }, (_, i) => from + i * step)
}

const MONTHS =
  'January February March April May June July August September October November December'

/** The date in the forms that templates of published models ask for. */
function strftimeNow(format: string): string {
  const now = new Date()
  const two = (n: number): string => String(n).padStart(2, '0')
  const month = MONTHS.split(' ')[now.getMonth()] as string
  const parts: Record<string, string> = {
    ...{ Y: String(now.getFullYear()), m: two(now.getMonth() + 1), d: two(now.getDate()) },
    ...{
      B: month,
      b: month.slice(0, 3),
      H: two(now.getHours()),
      M: two(now.getMinutes()),
      '%': '%',
    },
  }
  return String(format).replace(/%([YmdbBHM%])/g, (_, letter: string) => parts[letter] as string)
}

/** What transformers gives every chat template. */
const GLOBALS: Readonly<Record<string, unknown>> = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
  range,
  strftime_now: strftimeNow,
  raise_exception: (message: unknown) => {
    throw new Error(String(message))
  },
}
