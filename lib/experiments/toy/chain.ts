/**
 * Chains of sums modulo ten: the prompt is BOS d₁ … d_n =, the completion the running sums
 * s₂ … s_n and END, s_k = (d₁ + … + d_k) mod 10. With teachers that err at each step with probability
 * `noise` (and go on from their error) a model samples about (1 − noise)^(n − 1) of its chains right:
 * a base whose errors reinforcement can remove.
 */
import type { Dice, ToySample } from './train.ts'

export const BOS = 10
export const EQUALS = 11
export const END = 12
export const CHAIN_VOCAB = 13

/** Digits and how they are asked. */
export function chainPrompt(random: Dice, terms: number): Int32Array {
  const digits = Array.from({ length: terms }, () => random.below(10))
  return Int32Array.from([BOS, ...digits, EQUALS])
}

/** The running sums of a prompt, each wrong with probability `noise` where a digit `tempts` to err (default: all do). */
export function chainSums(
  prompt: Int32Array,
  random: Dice,
  noise = 0,
  tempts: (digit: number) => boolean = () => true,
): number[] {
  const digits = prompt.slice(1, -1)
  const sums: number[] = []
  let sum = digits[0]!
  for (const digit of digits.slice(1)) {
    sum = (sum + digit) % 10
    if (tempts(digit) && random.uniform() < noise) sum = (sum + 1 + random.below(9)) % 10
    sums.push(sum)
  }
  return sums
}

/** A prompt with a teacher's chain. */
export function chainSample(random: Dice, terms: number, noise = 0): ToySample {
  const prompt = chainPrompt(random, terms)
  return { prompt, completion: Int32Array.from([...chainSums(prompt, random, noise), END]) }
}

/** Whether a completion ends with the sum of the prompt's digits. */
export function chainRight(prompt: Int32Array, completion: Int32Array): boolean {
  const digits = prompt.slice(1, -1)
  const sum = digits.reduce((total, digit) => total + digit, 0) % 10
  return completion.at(-1) === END && completion.at(-2) === sum
}
