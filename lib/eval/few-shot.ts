/**
 * Few-shot examples: the first n questions of the few-shot split, of the question's own subset where
 * that has any. Likelihood form: "context answer" joined by empty lines, as lm-evaluation-harness.
 * Conversation: the examples with their answers stand above the question, as the HAE-RAE toolkit.
 */
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import type { Benchmark, Question } from './benchmarks/types.ts'
import type { Item } from './items.ts'

const INSTRUCTION = {
  ko: ['다음은 문제와 정답의 몇 가지 예시입니다.', '정답'],
  en: ['These are examples of questions and their answers.', 'Answer'],
} as const

/** The right answer in words: the option of the likelihood form, or the text. */
export function goldText({ gold, likelihood }: Pick<Question, 'gold' | 'likelihood'>): string {
  return typeof gold === 'string' ? gold : (likelihood?.options[gold] ?? String(gold))
}

/** The examples of one question. Throws `E_EVAL` when there are too few. */
export function examplesFor(item: Item, pool: readonly Item[], n: number): Item[] {
  if (n === 0) return []
  const others = pool.filter(
    example => example.source.file !== item.source.file || example.id !== item.id,
  )
  const own = others.filter(example => example.subset === item.subset)
  const chosen = (own.length > 0 ? own : others).slice(0, n)
  if (chosen.length < n) {
    throw new KogrpoError(
      'E_EVAL',
      phrase(
        '--num-fewshot {n}: only {length} examples for subset "{subset}"; give fewer, or name a file with more by --fewshot-data',
        { n, length: chosen.length, subset: item.subset },
      ),
    )
  }
  return chosen
}

/** The context of the likelihood form behind its examples. */
export function likelihoodContext(item: Item, examples: readonly Item[]): string {
  const shots = examples.map(shot => `${shot.likelihood!.context} ${goldText(shot)}\n\n`)
  return shots.join('') + item.likelihood!.context
}

/** The message of the conversation behind its examples. */
export function prompted(
  prompt: string,
  examples: readonly { prompt: string; answer: string }[],
  language: Benchmark['language'],
): string {
  if (examples.length === 0) return prompt
  const [instruction, label] = INSTRUCTION[language]
  const shots = examples.map(shot => `${shot.prompt}\n${label}: ${shot.answer}\n\n`)
  return `${instruction}\n\n${shots.join('')}${prompt}`
}
