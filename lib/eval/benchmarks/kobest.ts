/** KoBEST (skt/kobest_v1; Kim et al. 2022, arXiv 2204.04541): five tasks, published as macro-F1. */
import * as z from 'zod'
import { askForLetter, text, whole } from './forms.ts'
import { type Benchmark, benchmark, type Question } from './types.ts'

const binary = whole.pipe(z.int().min(0).max(1))

interface Task<S extends z.ZodType> {
  task: string
  example: Readonly<Record<string, unknown>>
  columns: S
  context(row: z.output<S>): string
  options(row: z.output<S>): string[]
}

function kobest<S extends z.ZodType<{ label: number }>>(spec: Task<S>): Benchmark {
  const { task, example, columns, context, options } = spec
  return benchmark({
    name: `kobest-${task}`,
    title: `KoBEST ${task}`,
    source: 'skt/kobest_v1 (Kim et al. 2022, arXiv 2204.04541)',
    kind: 'choice',
    language: 'ko',
    split: 'test',
    fewShotSplit: 'train',
    macroF1: true,
    example,
    columns: columns as z.ZodType,
    question: (value): Question => {
      const row = value as z.output<S>
      const [asked, choices] = [context(row), options(row)]
      return {
        subset: task,
        prompt: askForLetter(asked, choices, 'ko'),
        gold: row.label,
        choices,
        likelihood: { context: asked, options: choices },
      }
    },
  })
}

export const KOBEST: readonly Benchmark[] = [
  kobest({
    task: 'boolq',
    example: { paragraph: '한라산은 제주도에 있다.', question: '한라산은 섬에 있는가?', label: 1 },
    columns: z.object({ paragraph: text, question: text, label: binary }),
    context: ({ paragraph, question }) => `${paragraph} 질문: ${question} 답변: `,
    options: () => ['아니오', '예'],
  }),
  kobest({
    task: 'copa',
    example: {
      premise: '물이 얼었다.',
      question: '원인',
      alternative_1: '날이 추워졌다.',
      alternative_2: '날이 더워졌다.',
      label: 0,
    },
    columns: z.object({
      premise: text,
      question: z
        .string()
        .trim()
        .pipe(z.enum(['원인', '결과'])),
      alternative_1: text,
      alternative_2: text,
      label: binary,
    }),
    context: ({ premise, question }) =>
      `${premise} ${question === '원인' ? ' 왜냐하면' : ' 그래서'}`,
    options: row => [row.alternative_1, row.alternative_2],
  }),
  kobest({
    task: 'hellaswag',
    example: {
      context: '냄비에 물을 붓는다.',
      ending_1: '냄비를 불에 올린다.',
      ending_2: '책을 편다.',
      ending_3: '창문을 닦는다.',
      ending_4: '신발을 신는다.',
      label: 0,
    },
    columns: z.object({
      context: text,
      ending_1: text,
      ending_2: text,
      ending_3: text,
      ending_4: text,
      label: whole.pipe(z.int().min(0).max(3)),
    }),
    context: ({ context }) => `문장: ${context}`,
    options: row => [row.ending_1, row.ending_2, row.ending_3, row.ending_4],
  }),
  kobest({
    task: 'sentineg',
    example: { sentence: '배송이 빠르고 물건도 좋아요.', label: 1 },
    columns: z.object({ sentence: text, label: binary }),
    context: ({ sentence }) => `문장: ${sentence} 긍부정:`,
    options: () => ['부정', '긍정'],
  }),
  kobest({
    task: 'wic',
    example: {
      word: '배',
      context_1: '[배]를 타고 섬에 갔다.',
      context_2: '[배]가 달고 시원하다.',
      label: 0,
    },
    columns: z.object({
      word: text,
      context_1: text,
      context_2: text,
      label: z.union([binary, z.boolean().transform(Number)]),
    }),
    context: ({ word, context_1, context_2 }) =>
      `문장1: ${context_1} 문장2: ${context_2} 두 문장에서 ${word}가 같은 뜻으로 쓰였나?`,
    options: () => ['아니오', '예'],
  }),
]
