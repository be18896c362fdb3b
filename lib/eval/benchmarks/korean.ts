/** Korean multiple choice: KMMLU, HAE-RAE Bench, CLIcK. */
import * as z from 'zod'
import { askForLetter, LETTERS, lettered, text, whole } from './forms.ts'
import { benchmark } from './types.ts'

const HRET_CHOICE = (labels: string): string =>
  `다음은 객관식 문제입니다. 당신의 추론 과정을 간결하게 요약한 후, "따라서, 정답은: X"라고 결론지으십시오. 여기서 X는 ${labels} 중 하나입니다.`
const BRACKETED = ['(A)', '(B)', '(C)', '(D)', '(E)'] as const

/** Text, or a number as JSON has it. */
const option = z.union([z.string(), z.number().transform(String)])

export const kmmlu = benchmark({
  name: 'kmmlu',
  title: 'KMMLU',
  source: 'HAERAE-HUB/KMMLU (Son et al. 2024, arXiv 2402.11548)',
  kind: 'choice',
  language: 'ko',
  split: 'test',
  fewShotSplit: 'dev',
  example: {
    question: '재화의 가격이 오를 때 수요량은 어떻게 되는가?',
    answer: 2,
    A: '늘어난다',
    B: '줄어든다',
    C: '변하지 않는다',
    D: '알 수 없다',
    Category: 'Economics',
  },
  columns: z.object({
    question: text,
    answer: whole.pipe(z.int().min(1).max(4)),
    A: option,
    B: option,
    C: option,
    D: option,
    Category: z.string().nullish(),
  }),
  question: ({ question, answer, A, B, C, D, Category }) => {
    const choices = [A, B, C, D]
    const options = LETTERS.slice(0, 4)
    const context = `${question.trim()}\n${lettered(choices)}\n정답：`
    return {
      subset: Category || undefined,
      prompt: askForLetter(question, choices, 'ko'),
      gold: answer - 1,
      choices,
      likelihood: { context, options },
      hret: {
        prompt: `${HRET_CHOICE('(A), (B), (C), (D)')}\n\n질문: ${question}\n${lettered(choices)}`,
        reference: BRACKETED[answer - 1]!,
        options: BRACKETED.slice(0, 4),
        match: 'string',
      },
    }
  },
})

export const haerae = benchmark({
  name: 'haerae',
  title: 'HAE-RAE Bench',
  source: 'HAERAE-HUB/HAE_RAE_BENCH_1.1 (Son et al. 2023, arXiv 2309.02706)',
  kind: 'choice',
  language: 'ko',
  split: 'test',
  example: {
    query:
      '다음 낱말의 뜻으로 알맞은 것을 고르시오.\n### 질문: 가람\n### 선택지:\n(A) 강\n(B) 산\n(C) 바다\n(D) 들\n(E) 하늘\n### 정답:',
    answer: '(A)',
  },
  columns: z.object({ query: text, answer: z.enum(BRACKETED), category: z.string().nullish() }),
  question: ({ query, answer, category }) => {
    const asked = query.replace(/\s*###\s*정답\s*:?\s*$/, '')
    const gold = BRACKETED.indexOf(answer)
    return {
      subset: category || undefined,
      prompt: `${asked}\n\n마지막 줄에 "정답: X" 형식으로 답하세요. X는 ${BRACKETED.join(', ')} 중 하나입니다.`,
      gold,
      choices: [],
      likelihood: { context: query, options: BRACKETED },
      hret: {
        prompt: `${HRET_CHOICE(BRACKETED.join(', '))} ${query.replace('### 정답', '')}`,
        reference: answer,
        options: BRACKETED,
        match: 'string',
      },
    }
  },
})

export const click = benchmark({
  name: 'click',
  title: 'CLIcK',
  source: 'EunsuKim/CLIcK (Kim et al. 2024, arXiv 2403.06412)',
  kind: 'choice',
  language: 'ko',
  split: 'train',
  example: {
    id: 'KIIP_economy_1',
    paragraph: '',
    question: '한국의 화폐 단위는 무엇인가?',
    choices: ['원', '엔', '위안', '달러'],
    answer: '원',
  },
  columns: z
    .object({
      id: text,
      paragraph: z.string().nullish(),
      question: text,
      choices: z.array(text).min(2).max(5),
      answer: text,
    })
    .refine(row => row.choices.includes(row.answer), {
      error: 'is the text of none of the choices',
      path: ['answer'],
    }),
  question: ({ id, paragraph, question, choices, answer }) => {
    const letters = LETTERS.slice(0, id.includes('CSAT') ? 5 : 4)
    // As the harness writes them, down to the spaces.
    const shown = choices
      .slice(0, 4)
      .map((choice, i) => `${LETTERS[i]}:${i > 0 ? ' ' : ''}${choice}`)
    const body = `질문: ${question}\n보기:\n${shown.join(', ')}\n정답:`
    const context = paragraph
      ? `주어진 맥락을 천천히 읽고, 질문에 대한 적절한 정답을 A, B, C, D 중에 골라 알파벳 하나로 답하시오.\n\n맥락: ${paragraph}\n${body}`
      : `주어진 질문을 천천히 읽고, 적절한 정답을 A, B, C, D 중에 골라 알파벳 하나로 답하시오.\n\n${body}`
    const asked = paragraph ? `${paragraph.trim()}\n\n${question}` : question
    return {
      id,
      prompt: askForLetter(asked, choices, 'ko'),
      gold: choices.indexOf(answer),
      choices,
      likelihood: { context, options: letters },
      hret: {
        prompt: `Paragraph: ${paragraph ?? ''}\nQuestion: ${question}\nChoices: ${choices.join(', ')}`,
        reference: answer,
        options: choices,
        match: 'string',
      },
    }
  },
})
