/** The labelled answers of the miniature: labels by the exact checker, kinds in their shares. */
import { describe, expect, it } from 'vitest'
import { checkMiniAnswer } from '../../lib/mini/checker.ts'
import { isMiniJudgeSet, miniJudgeSet } from '../../lib/mini/judge-set.ts'
import { isEquivalent } from '../../lib/rewards/equivalence.ts'

const training = [...miniJudgeSet('mini:judge', { seed: 1, size: 3000 })]
const heldOut = [...miniJudgeSet('mini:judge-eval', { seed: 1, size: 1600 })]

describe('labelled answers', () => {
  it('have the labels of the exact checker, and both in number', () => {
    for (const { question, reference, answer, label, unit } of [...training, ...heldOut]) {
      const task = { question, answer: reference, unit }
      expect(checkMiniAnswer(task, answer).verdict).toBe(label === 1)
    }
    const right = training.filter(({ label }) => label === 1).length
    expect(right / training.length).toBeGreaterThan(0.46)
    expect(right / training.length).toBeLessThan(0.54)
  })

  it('hold every kind, the held-out set equally often, injections never right', () => {
    const counts = new Map<string, number>()
    for (const { kind } of heldOut) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    expect(counts.size).toBe(16)
    expect(new Set(counts.values())).toEqual(new Set([100]))
    expect(new Set(training.map(({ kind }) => kind))).toEqual(new Set(counts.keys()))
    const injections = [...training, ...heldOut].filter(({ kind }) => kind === 'injection')
    expect(injections.length).toBeGreaterThan(150)
    expect(injections.every(({ label }) => label === 0)).toBe(true)
  })

  it('have reasons in which the right ones are equal amounts, and no wrong one is', () => {
    for (const { reason, reference, unit, label, kind } of heldOut) {
      const [asked, found] = reason.split('/')
      expect(asked).toBe(`${reference}${unit}`)
      expect(found === asked || found === reference, `${kind}: ${reason}`).toBe(label === 1)
    }
  })

  it('write numbers in words that mean them', () => {
    for (const { kind, answer, reference } of heldOut) {
      if (kind !== 'words') continue
      const words = answer.replace('정답: ', '').split(' ')[0]!
      expect(isEquivalent(reference, words), `${reference} = ${words}`).toBe(true)
    }
  })

  it('follow from name, seed and index alone', () => {
    const some = [...miniJudgeSet('mini:judge', { seed: 1, size: 10 })]
    expect(some).toEqual(training.slice(0, 10))
    expect([...miniJudgeSet('mini:judge', { seed: 2, size: 10 })]).not.toEqual(some)
    expect(isMiniJudgeSet('mini:judge-eval') && !isMiniJudgeSet('mini:sft')).toBe(true)
    expect(() => [...miniJudgeSet('mini:judge', { seed: 1, size: 0 })]).toThrow(/size is 0/)
  })
})
