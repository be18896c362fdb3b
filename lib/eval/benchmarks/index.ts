/** The benchmarks by name. A new one is a record in a file of its family and its name here. */
import { didYouMean } from '../../config/nearest.ts'
import { KogrpoError } from '../../errors.ts'
import { phrase } from '../../messages/phrase.ts'
import { commonsense } from './commonsense.ts'
import { gpqa, humaneval, mmlu } from './english.ts'
import { KOBEST } from './kobest.ts'
import { click, haerae, kmmlu } from './korean.ts'
import { aime, gsm8k, gsm8kKo, hrm8k, math500 } from './maths.ts'
import type { Benchmark } from './types.ts'

export const BENCHMARKS: readonly Benchmark[] = [
  kmmlu,
  haerae,
  click,
  ...KOBEST,
  hrm8k,
  math500,
  aime,
  gsm8k,
  gsm8kKo,
  gpqa,
  humaneval,
  mmlu,
  commonsense,
]

/** The benchmark called `name`. Throws `E_EVAL` naming those there are. */
export function benchmarkOf(name: string): Benchmark {
  const found = BENCHMARKS.find(benchmark => benchmark.name === name)
  if (found) return found
  const names = BENCHMARKS.map(benchmark => benchmark.name)
  throw new KogrpoError(
    'E_EVAL',
    phrase('unknown benchmark "{name}"{hint}', {
      name,
      hint: didYouMean(name, names) || phrase('; there are {names}', { names: names.join(', ') }),
    }),
  )
}
