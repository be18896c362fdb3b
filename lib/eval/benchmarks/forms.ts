/** Pieces of prompts and columns that several benchmarks share. */
import * as z from 'zod'

export const text = z.string().refine(value => value.trim() !== '', { error: 'is empty' })
/** A whole number, which CSV files write as text. */
export const whole = z.union([
  z.int(),
  z
    .string()
    .trim()
    .regex(/^-?\d+$/)
    .transform(Number),
])
/** An answer in mathematics: text, or a number as JSON has it (3.0 is 3). */
export const answer = z.union([text, z.number().transform(String)])

export const LETTERS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J'] as const

/** The choices, one a line, behind their letters. */
export function lettered(choices: readonly string[]): string {
  return choices.map((choice, i) => `${LETTERS[i]}. ${choice}`).join('\n')
}

/** Asks for a letter, so that the answer is where the scorer looks for it. */
export function askForLetter(
  question: string,
  choices: readonly string[],
  lang: 'ko' | 'en',
): string {
  const letters = LETTERS.slice(0, choices.length).join(', ')
  const body = `${question.trim()}\n\n${lettered(choices)}`
  return lang === 'ko'
    ? `${body}\n\n다음 중 알맞은 것을 고르고, 마지막 줄에 "정답: X" 형식으로 답하세요. X는 ${letters} 중 하나입니다.`
    : `${body}\n\nChoose one, and end with a line of the form "Answer: X", where X is one of ${letters}.`
}

/** Asks for the answer in a box (the official HRM8K instruction, and its English counterpart). */
export function askForBox(problem: string, lang: 'ko' | 'en'): string {
  return lang === 'ko'
    ? `${problem.trim()}\n\n주어진 문제를 한국어로 풀고 최종 답을 다음 형식으로 출력하시오: 최종 정답은 \\boxed{n}.`
    : `${problem.trim()}\n\nSolve the problem and state the final answer in the form: The final answer is \\boxed{n}.`
}
