/** Items, verdicts and time for the tests of judges. */
import { type OpenAiJudgeSpec, openAiJudgeSchema } from '../../../lib/config/schema/oracle.ts'
import type { Clock } from '../../../lib/rewards/judge/clock.ts'
import type { Judge, JudgeItem, Verdict } from '../../../lib/rewards/judge/types.ts'

export const item = (answer: string, reference = '12'): JudgeItem => ({
  question: '사과는 몇 개입니까?',
  reference,
  answer,
  thinking: null,
  columns: {},
})

/** The verdicts of a judge on several items, asked at once. */
export async function verdicts(
  judge: Judge,
  items: readonly JudgeItem[],
  signal?: AbortSignal,
): Promise<Verdict[]> {
  const given = await Promise.all(items.map(one => judge.judge(one, signal)))
  return given.map(({ verdict }) => verdict)
}

/** An endpoint's judge as a recipe has it, with its defaults. */
export const openAiSpec = (changes: Record<string, unknown>): OpenAiJudgeSpec =>
  openAiJudgeSchema.parse({ kind: 'openai', model: 'm', ...changes })

/** Time that passes only when somebody waits for it; keeps the waits. */
export class FakeClock implements Clock {
  time = 0
  readonly waits: number[] = []

  now(): number {
    return this.time
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    this.waits.push(ms)
    const until = this.time + ms
    await new Promise(resolve => setImmediate(resolve))
    this.time = Math.max(this.time, until)
  }
}
