/**
 * How long the completions of a prompt are likely to be: the mean of its own last ones, or, for a prompt
 * that has had none, what its length says: the least-squares line through the prompts that were sampled,
 * and before there are two different ones the length of the prompt itself. Good for the order in which
 * groups are handed out, which no result depends on; so it is not saved with a run's state.
 */
import type { GrpoSample } from '../data/samples.ts'
import type { Rollout } from './rollout.ts'

export class ExpectedLengths {
  readonly #known = new WeakMap<GrpoSample, number>()
  // Sums over prompts of x, the prompt's length, and y, the mean length of its completions.
  #n = 0
  #x = 0
  #y = 0
  #xx = 0
  #xy = 0

  /** Takes in completions, those of a prompt adjacent. */
  learn(rollouts: readonly Rollout[]): void {
    for (let from = 0; from < rollouts.length; ) {
      const { prompt } = rollouts[from]!
      let to = from
      let tokens = 0
      while (to < rollouts.length && rollouts[to]!.prompt === prompt) {
        tokens += rollouts[to++]!.tokens.length
      }
      this.#add(prompt, tokens / (to - from))
      from = to
    }
  }

  #add(prompt: GrpoSample, y: number): void {
    const x = prompt.promptIds.length
    this.#known.set(prompt, y)
    this.#n++
    this.#x += x
    this.#y += y
    this.#xx += x * x
    this.#xy += x * y
  }

  /** Tokens; positive or 0. */
  of(prompt: GrpoSample): number {
    const known = this.#known.get(prompt)
    if (known !== undefined) return known
    const x = prompt.promptIds.length
    const spread = this.#n * this.#xx - this.#x ** 2
    if (spread <= 0) return x
    const slope = (this.#n * this.#xy - this.#x * this.#y) / spread
    return Math.max(0, (this.#y + slope * (this.#n * x - this.#x)) / this.#n)
  }
}
