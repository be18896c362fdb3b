import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { processContext } from '../../lib/cli/context.ts'
import { main } from '../../lib/cli/main.ts'
import { type Attempt, selfCorrection } from '../../lib/corpus/self-correct.ts'

const attempt: Attempt = {
  question: '사과 3개와 4개는 몇 개인가?',
  attempt: '<think>\n3 × 4 = 12\n</think>\n\n정답: 12',
  verdict: '곱하지 말고 더해야 합니다.',
  solution: '셋에 넷을 더한다.\n일곱이다.',
  solution_en: 'Add four to three.\nIt is seven.',
  answer: '7',
}

describe('selfCorrection', () => {
  it('keeps the attempt as context in a dialogue, so that the correction alone is trained', () => {
    expect(selfCorrection(attempt, { reasoningLanguage: 'ko', form: 'dialogue' })).toEqual({
      prompt: [
        { role: 'user', content: attempt.question },
        { role: 'assistant', content: attempt.attempt },
        { role: 'user', content: '곱하지 말고 더해야 합니다.' },
      ],
      completion: [
        {
          role: 'assistant',
          content:
            '<think>\n잠깐, 앞의 풀이를 확인해 보자. 처음부터 다시 풀어 보자.\n셋에 넷을 더한다.\n일곱이다.\n</think>\n\n정답: 7',
        },
      ],
      answer: '7',
    })
  })

  it('writes attempt, doubt and correction as one thinking', () => {
    const { completion } = selfCorrection(attempt, {
      reasoningLanguage: 'ko',
      form: 'thinking',
    }) as { completion: string }
    expect(completion.split('</think>')).toHaveLength(2)
    expect(completion).toMatch(/^<think>\n3 × 4 = 12\n정답: 12\n\n잠깐.*곱하지 말고/)
    expect(completion).toMatch(/일곱이다\.\n<\/think>\n\n정답: 7$/)
  })

  it('changes the language at every step, where both have the same steps', () => {
    const mixed = { reasoningLanguage: 'mixed', form: 'thinking' } as const
    const { completion } = selfCorrection(attempt, mixed) as { completion: string }
    expect(completion).toContain('셋에 넷을 더한다.\nIt is seven.')
    expect(selfCorrection({ ...attempt, solution_en: 'It is seven.' }, mixed)).toBe(
      'steps_do_not_match',
    )
    expect(selfCorrection({ ...attempt, solution_en: null }, mixed)).toBe('no_english_solution')
  })

  it('refuses what would teach nothing, or not in Korean', () => {
    const ko = { reasoningLanguage: 'ko', form: 'dialogue' } as const
    expect(selfCorrection({ ...attempt, solution: null }, ko)).toBe('no_solution')
    expect(selfCorrection({ ...attempt, solution: 'It is seven' }, ko)).toBe('solution_not_korean')
    const same = { ...attempt, attempt: `<think>\n${attempt.solution}\n</think>\n\n정답: 8` }
    expect(selfCorrection(same, ko)).toBe('attempt_not_different')
  })
})

describe('kogrpo data self-correct', () => {
  const run = async (rows: object[], ...options: string[]) => {
    const dir = mkdtempSync(join(tmpdir(), 'kogrpo-test-'))
    const [input, output] = [join(dir, 'in.jsonl'), join(dir, 'out', 'rows.jsonl')]
    writeFileSync(input, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
    let said = ''
    const write = (text: string): boolean => {
      said += text
      return true
    }
    const context = { ...processContext, stdout: { write }, stderr: { write } }
    const code = await main(
      ['data', 'self-correct', input, '--output', output, ...options],
      context,
    )
    const lines = code === 0 ? readFileSync(output, 'utf8').trim().split('\n') : []
    return { code, said, rows: lines.map(line => JSON.parse(line)) }
  }
  const row = (prompt: string, completion: string, judge: boolean | null, checker: boolean) => ({
    stage: 'grpo',
    prompt,
    completion,
    judge,
    checker,
    answer: '7',
  })

  it("pairs wrong and right completions of a run, the judge's word before the checker's", async () => {
    const right = '<think>\n셋에 넷을 더하면 일곱이다\n</think>\n\n정답: 7'
    const { code, said, rows } = await run([
      row('하나', '<think>\n모르겠다\n</think>\n\n정답: 7', false, true),
      row('하나', `${right} 그리고 더 길다`, true, false),
      row('하나', right, null, true),
      row('둘', '<think>\n모르겠다\n</think>\n\n정답: 1', false, false),
    ])
    expect({ code, rows: rows.length }).toEqual({ code: 0, rows: 1 })
    expect(rows[0].prompt[1].content).toContain('모르겠다')
    expect(rows[0].completion[0].content).toContain('셋에 넷을 더하면 일곱이다\n</think>')
    expect(said).toContain('left out: 1 no solution')
  })

  it('names file, line and column of a record that lacks something', async () => {
    const { code, said } = await run([{ ...attempt, question: undefined }])
    expect(code).toBe(1)
    expect(said).toContain('in.jsonl:1: has no "question"')
  })
})
