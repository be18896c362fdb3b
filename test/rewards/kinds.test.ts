/** Kinds of accuracy other than maths, and how a recipe or a column chooses among them. */
import { describe, expect, it } from 'vitest'
import { accuracyReward } from '../../lib/rewards/accuracy.ts'
import { lastCodeBlock } from '../../lib/rewards/kinds/code.ts'
import type { CodeJob, CodeRunner } from '../../lib/rewards/kinds/types.ts'
import { createRewards } from '../../lib/rewards/registry.ts'
import type { RewardInput } from '../../lib/rewards/types.ts'

function input(completions: string[], columns: Record<string, unknown[]>): RewardInput {
  return {
    prompts: completions.map(() => []),
    completions,
    completionIds: completions.map(() => new Int32Array(1)),
    truncated: completions.map(() => false),
    columns,
  }
}

async function rate(
  kind: string,
  completion: string,
  gold: unknown,
  row: Record<string, unknown> = {},
): Promise<number | null> {
  const columns = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, [value]]))
  return (await accuracyReward({ kind })(input([completion], { answer: [gold], ...columns })))[0]!
}

describe('choice', () => {
  const right: [gold: unknown, answer: string][] = [
    ['A', '정답: A'],
    ['A', '정답은 A입니다.'],
    ['A', 'The answer is (A).'],
    ['A', '\\boxed{A}'],
    ['A', '\\boxed{\\text{(A)}}'],
    ['A', 'a'],
    ['(B)', '정답: B) 서울'],
    ['B', '정답: B. 서울'],
    ['B', 'B번'],
    ['B', '따라서 정답은 B가 됩니다.'],
    ['3', '정답: 3'],
    ['3', '정답: 3번입니다'],
    [3, '정답은 ③입니다'],
    ['③', '정답: 3'],
    ['③', '③ 부산'],
    ['C', '정답: ③'],
    ['다', '정답: 다'],
    ['다', '정답은 (다)입니다.'],
    ['가', '답: 가.'],
    ['나', '정답: ②'],
    ['D', 'C가 아니라면... 정답: D'],
    ['E', '모두 검토하면 (E)가 옳다.'],
    ['A', 'A. Because B is not valid'],
    ['B', 'Because B is valid'],
    ['J', '정답: J'],
    ['10', '정답: ⑩'],
    // What is denied is not chosen.
    ['B', '정답: A가 아니라 B'],
    ['3', '정답은 2번이 아니고 3번'],
  ]
  it.each(right)('%j is chosen by %j', async (gold, answer) => {
    expect(await rate('choice', `<think>x</think>${answer}`, gold)).toBe(1)
  })

  const wrong: [gold: unknown, answer: string][] = [
    ['A', '정답: B'],
    ['A', 'B'],
    ['A', '정답: A 또는 B'],
    ['A', '정답: A, B'],
    ['A', '정답: A/B'],
    ['B', '정답: A and B'],
    ['3', '정답: ②'],
    ['3', '정답: 2'],
    ['1', '정답: 15'],
    ['다', '정답: 나'],
    ['가', '정답: 가로'],
    ['나', '나는 모르겠습니다'],
    ['A', 'No valid answer here'],
    ['A', 'An apple'],
    ['A', '정답: A가 아니라 B'],
    ['A', '정답: A가 아닙니다'],
    ['A', 'A와 B를 비교하면 알 수 없습니다'],
    ['A', ''],
  ]
  it.each(wrong)('%j is not chosen by %j', async (gold, answer) => {
    expect(await rate('choice', `<think>정답: ${String(gold)}</think>${answer}`, gold)).toBe(0)
  })

  it('the text of a choice stands for its label, on either side', async () => {
    const choices = ['서울', '부산', '대구']
    expect(await rate('choice', '정답: 부산입니다.', 'B', { choices })).toBe(1)
    expect(await rate('choice', '정답: ②', '부산', { choices })).toBe(1)
    expect(await rate('choice', '정답: 대구', '부산', { choices })).toBe(0)
    expect(await rate('choice', '부산', 2, { choices: { A: '서울', B: '부산' } })).toBe(1)
  })

  it('a gold answer that is no option is an error', async () => {
    await expect(rate('choice', '정답: A', '서울')).rejects.toThrow(
      /'answer' of sample 0 names no option \("서울"\)/,
    )
  })
})

describe('exact', () => {
  it.each([
    ['을축', '정답: 을축'],
    ['정보시장', '<think>a</think>Answer: **정보시장**'],
    ['New York', '정답은 new  york입니다.'],
    ['7', '정답: 7'],
    ['가나다', '가나다'],
    ['f(x)', '\\boxed{f(x)}'],
  ])('"%s" is "%s"', async (gold, answer) => {
    expect(await rate('exact', answer, gold)).toBe(1)
  })
  it.each([
    ['을축', '정답: 을미'],
    ['7', '정답: 7.0'],
    ['7', '정답: 일곱'],
    ['7', '정답: 17'],
    ['을축', '<think>을축</think>정답: 모름'],
  ])('"%s" is not "%s"', async (gold, answer) => {
    expect(await rate('exact', answer, gold)).toBe(0)
  })
})

describe('regex', () => {
  it('searches the text after the thinking', async () => {
    expect(await rate('regex', '<think>x</think>값은 42개', '\\b42')).toBe(1)
    expect(await rate('regex', '<think>42</think>값은 7개', '42')).toBe(0)
    expect(await rate('regex', '정답: YES', '/^정답: yes$/i')).toBe(1)
    expect(await rate('regex', '정답: YES', '^정답: yes$')).toBe(0)
  })
  it('a pattern that does not compile is an error that names the sample', async () => {
    await expect(rate('regex', 'x', '(')).rejects.toThrow(/'answer' of sample 0 is not a regular/)
  })
})

describe('code', () => {
  const answer = '설명\n```python\nprint(1)\n```\n고침\n```python\ndef f(x):\n    return x\n```'
  const jobs: CodeJob[] = []
  const runner = (passed: number): CodeRunner => ({
    run: async job => {
      jobs.push(job)
      return { passed, total: 2 }
    },
  })
  const batch = input([answer, '코드 없음'], {
    tests: ['assert f(1) == 1', 'assert f(1) == 1'],
    entry_point: ['f', null],
  })

  it('is refused without a runner', () => {
    expect(() => accuracyReward({ kind: 'code' })).toThrow(/'code' runs code .* no isolated runner/)
    const spec = [{ name: 'accuracy', weight: 1, options: { kind: 'code' } }]
    expect(() => createRewards(spec, { max_completion_length: 8 })).toThrow(/no isolated runner/)
  })

  it('runs the last block against the tests: all pass or 0, none without a block', async () => {
    const reward = accuracyReward({ kind: 'code' }, { codeRunner: () => runner(2) })
    expect(await reward(batch)).toEqual([1, 0])
    expect(jobs).toEqual([
      {
        language: 'python',
        code: 'def f(x):\n    return x',
        tests: 'assert f(1) == 1',
        entryPoint: 'f',
        timeoutMs: 10_000,
      },
    ])
    expect(await accuracyReward({ kind: 'code' }, { codeRunner: () => runner(1) })(batch)).toEqual([
      0, 0,
    ])
  })

  it('takes tests and time limit from where the options say', async () => {
    const seen: CodeJob[] = []
    const codeRunner = (): CodeRunner => ({
      run: async job => {
        seen.push(job)
        return { passed: 1, total: 1 }
      },
    })
    const options = { kind: 'code' as const, tests_column: 'checks', code_timeout_ms: 250 }
    const reward = accuracyReward(options, { codeRunner })
    expect(await reward(input([answer], { tests: ['no'], checks: ['assert f(2) == 2'] }))).toEqual([
      1,
    ])
    expect(seen).toMatchObject([{ tests: 'assert f(2) == 2', timeoutMs: 250 }])
    await expect(reward(input([answer], { tests: ['no'] }))).rejects.toThrow(/column 'checks'/)
  })

  it("a runner's own failure is no verdict; missing tests are an error", async () => {
    const failing: CodeRunner = { run: async () => ({ failure: 'no container' }) }
    const reward = accuracyReward({ kind: 'code' }, { codeRunner: () => failing })
    expect(await reward(batch)).toEqual([null, 0])
    await expect(reward(input([answer], { tests: [''] }))).rejects.toThrow(
      /no unit tests for sample 0/,
    )
  })

  it('takes complete blocks only', () => {
    expect(lastCodeBlock('```js\na\n```\n```py\nb')).toEqual({ language: 'js', code: 'a' })
    expect(lastCodeBlock('no')).toBeNull()
  })
})

describe('kinds', () => {
  it('a column overrides the recipe sample by sample', async () => {
    const batch = input(['정답: B', '정답: 6/4', '정답: 을축', '정답: 3/2'], {
      answer: ['②', '1.5', '을축', '1.5'],
      answer_kind: ['choice', null, 'exact', 'exact'],
    })
    expect(await accuracyReward()(batch)).toEqual([1, 1, 1, 0])
    const renamed = {
      ...batch,
      columns: { answer: batch.columns.answer!, how: ['choice', 'math', '', 'math'] },
    }
    expect(await accuracyReward({ kind: 'exact', kind_column: 'how' })(renamed)).toEqual([
      1, 1, 1, 1,
    ])
  })

  it('an unknown kind is an error that lists the kinds, and where it was named', async () => {
    expect(() => accuracyReward({ kind: 'maths' })).toThrow(
      /reward accuracy: kind: .*"math"\|"choice"/,
    )
    await expect(
      (async () =>
        await accuracyReward()(input(['1'], { answer: ['1'], answer_kind: ['toString'] })))(),
    ).rejects.toThrow(/kind 'toString' of sample 0/)
  })

  it('extraction, precision and require_thinking change the verdict', async () => {
    const one = async (completion: string, gold: string, options: object): Promise<number | null> =>
      (await accuracyReward(options)(input([completion], { answer: [gold] })))[0]!
    expect(await one('값은 12', '12', {})).toBe(1)
    expect(await one('값은 12', '12', { extraction: 'marked' })).toBe(0)
    expect(await one('정답: 12', '12', { extraction: 'marked' })).toBe(1)
    expect(await one('정답: 12', '12', { extraction: 'boxed' })).toBe(0)
    expect(await one('\\boxed{12} 정답: 13', '12', { extraction: 'boxed' })).toBe(1)
    expect(await one('0.33', '1/3', {})).toBe(0)
    expect(await one('0.33', '1/3', { precision: 2 })).toBe(1)
    expect(await one('정답: 12', '12', { require_thinking: true })).toBe(0)
    expect(await one('<think>a</think>정답: 12', '12', { require_thinking: true })).toBe(1)
  })

  it('a gold answer in prose has no verdict by rule', async () => {
    const batch = input(['정답: forty two', '정답: 철수'], {
      answer: ['the answer is forty two', '철수'],
    })
    expect(await accuracyReward()(batch)).toEqual([null, 1])
  })
})
