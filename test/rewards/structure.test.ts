import { describe, expect, it } from 'vitest'
import { structureReward, structureShare } from '../../lib/rewards/structure.ts'
import { processorMs } from '../processor-time.ts'

const SECTIONS = ['계획', '이해', '풀이', '정리']
const whole = '계획:\n먼저 센다\n\n## 2. 이해\n사과가 셋\n**풀이**\n3 + 4 = 7\n정리\n일곱이다'

describe('the structure reward', () => {
  it('counts sections with content, in order, once each', () => {
    expect(structureShare(whole, SECTIONS)).toBe(1)
    expect(structureShare(whole.replace('사과가 셋', ''), SECTIONS)).toBe(0.75)
    expect(structureShare('풀이\n일곱\n계획\n센다', SECTIONS)).toBe(0.25)
    expect(structureShare('계획\n센다\n계획\n또 센다', SECTIONS)).toBe(0)
    // The word in a sentence is no title.
    expect(structureShare('계획을 세우고 풀이를 한다', SECTIONS)).toBe(0)
    expect(structureShare('* [계획] **: **\n센다', SECTIONS)).toBe(0.25)
  })

  it('takes bounded time on a line that a policy fills with marks', () => {
    const start = processorMs()
    for (const mark of ['*', ' ', '#', '1', ']']) {
      structureShare(`${mark.repeat(50_000)}계획${mark.repeat(50_000)}x`, SECTIONS)
      structureShare(`계획${mark.repeat(100_000)}x`, SECTIONS)
    }
    expect(processorMs() - start).toBeLessThan(2000)
  })

  it('is 1 for all of them in the thinking, or the share; an answer does not count', async () => {
    const rate = async (text: string, options?: object): Promise<unknown> =>
      await structureReward(options)({
        prompts: [[]],
        completions: [text],
        completionIds: [new Int32Array()],
        truncated: [false],
        columns: {},
      })
    expect(await rate(`<think>\n${whole}\n</think>\n\n7`)).toEqual([1])
    expect(await rate(`<think>\n생각\n</think>\n\n${whole}`)).toEqual([0])
    expect(await rate('<think>\n계획\n센다\n</think>\n\n7', { value: 'share' })).toEqual([0.25])
    expect(
      await rate('<think>\n처음\n가\n끝\n나\n</think>\n\n7', { sections: ['처음', '끝'] }),
    ).toEqual([1])
    expect(() => structureReward({ sections: ['하나'] })).toThrow('sections')
  })
})
