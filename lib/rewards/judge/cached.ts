/**
 * A judge with a memory: a verdict is asked for once, and equal items under way are asked once. So is a
 * critique: endpoints seldom say the same twice, and a run that is taken up again must read what it read.
 */
import { createHash } from 'node:crypto'
import type { VerdictStore } from './store.ts'
import {
  type Critique,
  type Judge,
  type JudgeItem,
  type Judgement,
  judgement,
  type KeyedJudge,
} from './types.ts'

/** Failures are never stored: the next time the judge is asked again. Closes the store as well. */
export function cachedJudge(judge: KeyedJudge, store: VerdictStore): Judge {
  const underWay = new Map<string, Promise<Judgement>>()

  const ask = async (item: JudgeItem, signal?: AbortSignal): Promise<Judgement> => {
    const key = judge.keyOf(item)
    const known = store.get(key)
    if (known !== undefined) return judgement({ verdict: known }, { cached: true })
    const equal = underWay.get(key)
    if (equal) {
      const { verdict, latency_s } = await equal
      return judgement(verdict, { cached: 'verdict' in verdict, latency_s })
    }
    const asked = judge.judge(item, signal)
    underWay.set(key, asked)
    try {
      const result = await asked
      if ('verdict' in result.verdict) store.set(key, result.verdict.verdict)
      return result
    } finally {
      underWay.delete(key)
    }
  }

  const speak = async (item: JudgeItem, signal?: AbortSignal): Promise<Judgement<Critique>> => {
    const key = createHash('sha256')
      .update(`critique ${judge.keyOf(item)}`)
      .digest('hex')
    const known = store.critique(key)
    if (known !== undefined) return judgement<Critique>({ critique: known }, { cached: true })
    const result = await judge.critique!(item, signal)
    if ('critique' in result.verdict) store.setCritique(key, result.verdict.critique)
    return result
  }

  return {
    description: `${judge.description}, verdicts kept in ${store.path}`,
    judge: ask,
    ...(judge.critique && { critique: speak }),
    cachePosition: () => store.position(),
    checkCache: position => store.check(position),
    close: async () => {
      store.close()
      await judge.close()
    },
  }
}
