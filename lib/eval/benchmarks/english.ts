/** MMLU, GPQA and HumanEval. */
import * as z from 'zod'
import { permutation } from '../../data/random.ts'
import { askForLetter, LETTERS, lettered, text, whole } from './forms.ts'
import { benchmark } from './types.ts'

export const mmlu = benchmark({
  name: 'mmlu',
  title: 'MMLU',
  source: 'cais/mmlu (Hendrycks et al. 2021, arXiv 2009.03300)',
  kind: 'choice',
  language: 'en',
  split: 'test',
  fewShotSplit: 'dev',
  example: {
    question: 'Which planet is closest to the sun?',
    subject: 'astronomy',
    choices: ['Venus', 'Mercury', 'Earth', 'Mars'],
    answer: 1,
  },
  columns: z.object({
    question: text,
    subject: z.string().optional(),
    choices: z.array(z.string()).length(4),
    answer: z.union([
      whole.pipe(z.int().min(0).max(3)),
      z.enum(['A', 'B', 'C', 'D']).transform(letter => LETTERS.indexOf(letter)),
    ]),
  }),
  question: ({ question, subject, choices, answer }) => ({
    subset: subject || undefined,
    prompt: askForLetter(question, choices, 'en'),
    gold: answer,
    choices,
    likelihood: {
      context: `${question.trim()}\n${lettered(choices)}\nAnswer:`,
      options: LETTERS.slice(0, 4),
    },
  }),
})

export const gpqa = benchmark({
  name: 'gpqa',
  title: 'GPQA',
  source: 'Idavidrein/gpqa (Rein et al. 2023, arXiv 2311.12022)',
  kind: 'choice',
  language: 'en',
  split: 'train',
  example: {
    Question: 'How many electrons has a neutral carbon atom?',
    'Correct Answer': '6',
    'Incorrect Answer 1': '4',
    'Incorrect Answer 2': '8',
    'Incorrect Answer 3': '12',
    'Record ID': 'rec1',
    Subdomain: 'Chemistry (general)',
  },
  columns: z.object({
    Question: text,
    'Correct Answer': text,
    'Incorrect Answer 1': text,
    'Incorrect Answer 2': text,
    'Incorrect Answer 3': text,
    'Record ID': z.string().optional(),
    Subdomain: z.string().optional(),
  }),
  question: row => {
    const texts = [
      row['Correct Answer'],
      row['Incorrect Answer 1'],
      row['Incorrect Answer 2'],
      row['Incorrect Answer 3'],
    ].map(choice => choice.trim())
    // The published order would give the answer away; each question has its own, always the same.
    const order = [...permutation(4, `gpqa ${row['Record ID'] ?? row.Question}`)]
    const choices = order.map(i => texts[i]!)
    const context = `What is the correct answer to this question:${row.Question}\nChoices:\n${choices.map((choice, i) => `(${LETTERS[i]}) ${choice}`).join('\n')}\nAnswer:`
    return {
      id: row['Record ID'] || undefined,
      subset: row.Subdomain || undefined,
      prompt: askForLetter(row.Question, choices, 'en'),
      gold: order.indexOf(0),
      choices,
      likelihood: { context, options: choices.map((_, i) => `(${LETTERS[i]})`) },
    }
  },
})

export const humaneval = benchmark({
  name: 'humaneval',
  title: 'HumanEval',
  source: 'openai/openai_humaneval (Chen et al. 2021, arXiv 2107.03374)',
  kind: 'code',
  language: 'en',
  split: 'test',
  example: {
    task_id: 'HumanEval/0',
    prompt: 'def add(a, b):\n    """Return the sum."""\n',
    entry_point: 'add',
    canonical_solution: '    return a + b\n',
    test: 'def check(candidate):\n    assert candidate(1, 2) == 3\n',
  },
  columns: z.object({
    task_id: text,
    prompt: text,
    entry_point: text,
    test: text,
  }),
  question: ({ task_id, prompt, test, entry_point }) => ({
    id: task_id,
    prompt: `Complete the function, and give the whole of it in one fenced block of Python.\n\n\`\`\`python\n${prompt}\`\`\``,
    gold: `${test}\ncheck(${entry_point})`,
    choices: [],
  }),
})
