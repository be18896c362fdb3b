/** Mathematics with a final answer: HRM8K, MATH-500, AIME, GSM8K and its Korean translation. */
import * as z from 'zod'
import { answer as answerColumn, askForBox, text } from './forms.ts'
import { type Benchmark, benchmark } from './types.ts'

const boxedHret = (question: string, reference: string) => ({
  prompt: `put your final answer within \\boxed{}.\nQuestion: ${question}`,
  reference,
  match: 'partial' as const,
})

export const hrm8k = benchmark({
  name: 'hrm8k',
  title: 'HRM8K',
  source: 'HAERAE-HUB/HRM8K (Ko et al. 2025, arXiv 2501.02448)',
  kind: 'math',
  language: 'ko',
  split: 'test',
  example: {
    question: '사과 3개와 배 4개를 사면 과일은 모두 몇 개인가?',
    answer: 7,
    original: 'How many fruits are 3 apples and 4 pears?',
  },
  columns: z.object({ question: text, answer: answerColumn }),
  question: ({ question, answer }) => ({
    prompt: askForBox(question, 'ko'),
    gold: answer,
    choices: [],
    hret: boxedHret(question, answer),
  }),
})

export const math500 = benchmark({
  name: 'math-500',
  title: 'MATH-500',
  source: 'HuggingFaceH4/MATH-500 (Hendrycks et al. 2021, arXiv 2103.03874; Lightman et al. 2023)',
  kind: 'math',
  language: 'en',
  split: 'test',
  example: {
    problem: 'Compute $\\frac12 + \\frac13$.',
    solution: 'The sum is $\\boxed{\\frac56}$.',
    answer: '\\frac{5}{6}',
    subject: 'Prealgebra',
    level: 1,
    unique_id: 'test/prealgebra/1.json',
  },
  columns: z.object({
    problem: text,
    answer: answerColumn,
    subject: z.string().optional(),
    unique_id: z.string().optional(),
  }),
  question: ({ problem, answer, subject, unique_id }) => ({
    id: unique_id,
    subset: subject,
    prompt: askForBox(problem, 'en'),
    gold: answer,
    choices: [],
  }),
})

/** The columns of the usual publications: question/answer, problem/answer, Problem/Answer, Question/Answer. */
const aimeColumns = z.preprocess(
  row => {
    if (typeof row !== 'object' || row === null) return row
    const lower = Object.fromEntries(Object.entries(row).map(([k, v]) => [k.toLowerCase(), v]))
    return { ...lower, problem: lower.problem ?? lower.question }
  },
  z.object({
    problem: text,
    answer: answerColumn,
    id: z.union([text, z.number().transform(String)]).optional(),
  }),
)

export const aime = benchmark({
  name: 'aime',
  title: 'AIME',
  source: 'opencompass/AIME2025, HuggingFaceH4/aime_2024, Maxwell-Jia/AIME_2024 (MAA)',
  kind: 'math',
  language: 'en',
  split: 'test',
  example: { question: 'Find the remainder when $7^{100}$ is divided by $100$.', answer: '1' },
  columns: aimeColumns,
  question: ({ problem, answer, id }) => ({
    id,
    prompt: askForBox(problem, 'en'),
    gold: answer,
    choices: [],
    hret: {
      prompt: `Solve the following AIME-style problem. Briefly show your reasoning, then end with a single line in the form 'Answer: X'.\n\n${problem}`,
      reference: answer,
      match: 'string',
    },
  }),
})

/** The number behind the last "####" of a worked solution, or the answer as it is. */
const finalOf = (solution: string): string => solution.split('####').at(-1)!.trim()

function gsm8kLike(
  spec: Pick<Benchmark, 'name' | 'title' | 'source' | 'example'> & { language: 'ko' | 'en' },
): Benchmark {
  return benchmark({
    ...spec,
    kind: 'math',
    split: 'test',
    fewShotSplit: 'train',
    columns: z.object({ question: text, answer: answerColumn }),
    question: ({ question, answer }) => ({
      prompt: askForBox(question, spec.language),
      gold: finalOf(answer),
      choices: [],
    }),
  })
}

export const gsm8k = gsm8kLike({
  name: 'gsm8k',
  title: 'GSM8K',
  source: 'openai/gsm8k (Cobbe et al. 2021, arXiv 2110.14168)',
  language: 'en',
  example: {
    question: 'Tom has 3 boxes of 12 pens. How many pens has he?',
    answer: 'He has 3 * 12 = <<3*12=36>>36 pens.\n#### 36',
  },
})

export const gsm8kKo = gsm8kLike({
  name: 'gsm8k-ko',
  title: 'GSM8K in Korean',
  source: 'kuotient/gsm8k-ko and other translations of openai/gsm8k',
  language: 'ko',
  example: {
    question: '톰은 펜이 12자루 든 상자를 3개 가지고 있다. 펜은 모두 몇 자루인가?',
    answer: '3 * 12 = <<3*12=36>>36자루이다.\n#### 36',
  },
})
