/**
 * Korean commonsense in several steps, generated (after HRMCR, Son et al. 2025, arXiv 2501.05712): a
 * question's family, level and numbers follow from the seed and its place, its answer and the result of
 * each step from an algorithm. No question comes twice.
 */
import { createRandom, hash64 } from '../../mini/random.ts'
import type { Family, Step } from './chain.ts'
import { dates } from './dates.ts'
import { kinship } from './kinship.ts'
import { people } from './people.ts'
import { units } from './units.ts'

const FAMILIES: readonly Family[] = [dates, people, units, kinship]
const LEVELS = 6

export interface CommonsenseQuestion {
  id: string
  family: string
  /** Steps to the answer, 1 to 6. */
  level: number
  question: string
  answer: string
  steps: Step[]
}

/** `count` questions, the levels of each family in turn; deterministic. */
export function generateCommonsense(count: number, seed: number): CommonsenseQuestion[] {
  const known = new Set<string>()
  const found: CommonsenseQuestion[] = []
  for (let place = 0; found.length < count; place++) {
    const random = createRandom(hash64(`commonsense ${seed} ${place}`))
    const level = (Math.floor(place / FAMILIES.length) % LEVELS) + 1
    // The families of few questions are soon exhausted: others take their place.
    const chain = FAMILIES[place % FAMILIES.length]!(random, level)
    if (chain === null || known.has(chain.question)) continue
    known.add(chain.question)
    found.push({ id: `${seed}-${place}`, level, ...chain })
  }
  return found
}

const bare = (text: string): string => text.replace(/[\s,]/g, '')

/** Where `result` begins in `said` from `from` on; not within a longer number (5마리 in 15마리). -1: nowhere. */
function placeOf(result: string, said: string, from: number): number {
  let at = said.indexOf(result, from)
  while (at > 0 && /^\d/.test(result) && /\d/.test(said[at - 1]!)) {
    at = said.indexOf(result, at + 1)
  }
  return at
}

/** The first step (from 1) whose result is nowhere in `text` behind the results before it; null: none. */
export function missedStep(steps: readonly Pick<Step, 'result'>[], text: string): number | null {
  const said = bare(text)
  let from = 0
  for (const [i, { result }] of steps.entries()) {
    const at = placeOf(bare(result), said, from)
    if (at < 0) return i + 1
    from = at
  }
  return null
}
