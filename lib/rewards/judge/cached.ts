/** A judge with a memory: a verdict is asked for once, and equal items under way are asked once. */
import type { VerdictStore } from './store.ts'
import { type Judge, type JudgeItem, type Judgement, judgement, type KeyedJudge } from './types.ts'

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

  return {
    description: `${judge.description}, verdicts kept in ${store.path}`,
    judge: ask,
    ...(judge.critique && { critique: judge.critique.bind(judge) }),
    cachePosition: () => store.position(),
    checkCache: position => store.check(position),
    close: async () => {
      store.close()
      await judge.close()
    },
  }
}
