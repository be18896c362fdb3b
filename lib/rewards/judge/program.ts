/**
 * A judge that is a function of the task: exact, instant, free. Tasks register theirs under a name;
 * the recipe asks for it by that name. A function that throws, or answers anything but 0, 1, true
 * or false, has failed that item.
 */
import { KogrpoError, messageOf } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import { type Judge, type JudgeItem, judgement, type Verdict } from './types.ts'

type JudgeProgram = (item: JudgeItem) => boolean | 0 | 1 | Promise<boolean | 0 | 1>

/** Judge programs by name. */
export class ProgramRegistry {
  readonly #programs = new Map<string, JudgeProgram>()

  /** Adds a program; throws `E_JUDGE` when the name is taken. Returns itself, for chaining. */
  register(name: string, program: JudgeProgram): this {
    if (this.#programs.has(name)) {
      throw new KogrpoError(
        'E_JUDGE',
        phrase("judge program '{name}' is already registered", { name }),
      )
    }
    this.#programs.set(name, program)
    return this
  }

  /** The judge of that name; throws `E_CONFIG` with the known names. */
  judge(name: string): Judge {
    const program = this.#programs.get(name)
    if (program === undefined) {
      const known = [...this.#programs.keys()].join(', ') || phrase('none')
      throw new KogrpoError(
        'E_CONFIG',
        phrase("judge program '{name}' is unknown (registered: {known})", { name, known }),
      )
    }
    return {
      description: `program ${name}`,
      judge: async (item, signal) => {
        signal?.throwIfAborted()
        const started = performance.now()
        const verdict = await runProgram(name, program, item)
        return judgement(verdict, { latency_s: (performance.now() - started) / 1000 })
      },
      close: async () => {},
    }
  }
}

async function runProgram(name: string, program: JudgeProgram, item: JudgeItem): Promise<Verdict> {
  try {
    const result: unknown = await program(item)
    if (result === 1 || result === true) return { verdict: 1 }
    if (result === 0 || result === false) return { verdict: 0 }
    return { failed: `program '${name}' returned ${String(result)} instead of 0 or 1` }
  } catch (error) {
    return { failed: `program '${name}' failed: ${messageOf(error)}` }
  }
}
