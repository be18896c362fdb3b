import { describe, expect, test } from 'vitest'
import { DataCheck, fingerprints } from '../../lib/corpus/check.ts'
import { Preparation, type PrepareOptions } from '../../lib/corpus/prepare.ts'
import { clean, cleanValue, fingerprint, repeatedShare } from '../../lib/corpus/text.ts'
import { ChatTemplate } from '../../lib/data/chat-template.ts'
import type { SourceRecord } from '../../lib/data/readers.ts'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { modelPath } from '../../lib/train/sources.ts'
import { processorMs } from '../processor-time.ts'

const tokenizer = await Tokenizer.load(modelPath('builtin:mini'))
const template = new ChatTemplate(tokenizer)
const options = { tokenizer, template, maxLength: 40, overlong: 'error' as const }

const at = (line: number, record: Record<string, unknown>): SourceRecord => ({
  record,
  file: 'my.jsonl',
  line,
})

async function* stream(records: SourceRecord[]): AsyncGenerator<SourceRecord> {
  yield* records
}

describe('text', () => {
  test('a fingerprint ignores spaces, punctuation and width, but not numbers or operators', () => {
    expect(fingerprint('사과가  3개, 있다.')).toBe(fingerprint('사과가 3개 있다'))
    expect(fingerprint('Ａ１')).toBe(fingerprint('a1'))
    expect(fingerprint('3+4는?')).not.toBe(fingerprint('3-4는?'))
    expect(fingerprint('사과 3개')).not.toBe(fingerprint('사과 30개'))
    // A decimal point is part of its number; a stop is not, nor is a separator of thousands.
    expect(fingerprint('1.5 배는?')).not.toBe(fingerprint('15배는?'))
    expect(fingerprint('답은 3. 다음은 1,500.')).toBe(fingerprint('답은 3 다음은 1500'))
  })

  test('cleaning composes Hangul and removes what nobody sees, and no line of a table', () => {
    expect(clean('\ufeff가\u0000나\u200b  \r\n\tx \n')).toBe('가나\n\tx')
    expect(cleanValue({ a: ['가 '], n: 1, b: null })).toEqual({ a: ['가'], n: 1, b: null })
    const start = processorMs()
    const wide = `가${' '.repeat(100_000)}나`
    expect(clean(`${wide} \t`)).toBe(wide)
    expect(processorMs() - start).toBeLessThan(2000)
  })

  test('repetition is the share of the characters in lines seen before', () => {
    expect(repeatedShare('abcd\nefgh\nabcd\nabcd')).toBe(0.5)
    expect(repeatedShare('')).toBe(0)
  })
})

describe('data check', () => {
  const records = [
    at(1, { prompt: '사과는 몇 개?', completion: '<think>\n하나씩 센다.\n</think>\n\n정답: 3개' }),
    at(2, { prompt: '사과는  몇 개?', completion: 'Three apples' }),
    at(3, { question: 'no prompt' }),
    at(4, { prompt: '배는 몇 개?', completion: '세어 보자. '.repeat(40) }),
  ]

  test('counts samples, all mistakes, lengths, languages, duplicates and leaks in one pass', async () => {
    const benchmark = await fingerprints(
      stream([{ record: { prompt: '배는 몇 개??' }, file: 'test.jsonl', line: 9 }]),
    )
    const check = new DataCheck('sft', options, benchmark)
    for (const record of records) check.add(record)
    const report = check.report()
    expect(report).toMatchObject({
      ...{ records: 4, samples: 3, overlong: 1, errorCount: 1, withoutThinking: 2 },
      duplicates: { count: 1, examples: ['my.jsonl:2 = 1'] },
      leaked: { count: 1, examples: ['my.jsonl:4 = test.jsonl:9'] },
      columns: ['prompt', 'completion', 'question'],
    })
    expect(String(report.errors[0])).toMatch(/^my\.jsonl:3: no "messages", "prompt" or "text"/)
    expect(report.language.prompt).toEqual({ texts: 3, korean: 1, mean: 1 })
    expect(report.language.thinking).toEqual({ texts: 1, korean: 1, mean: 1 })
    expect(report.language.answer).toEqual({ texts: 3, korean: 2 / 3, mean: 2 / 3 })
    expect(report.tokens!.max).toBeGreaterThan(40)
    expect(report.trainedTokens).toBeLessThan(report.tokens!.total)
  })

  test('grpo: counts prompts without an answer', () => {
    const check = new DataCheck('grpo', options)
    check.add(at(1, { prompt: '둘 더하기 둘은?', answer: '4' }))
    check.add(at(2, { prompt: '둘 더하기 셋은?' }))
    // What the reward would refuse as missing.
    check.add(at(3, { prompt: '둘 더하기 넷은?', answer: null }))
    check.add(at(4, { prompt: '둘 더하기 여섯은?', answer: ' ' }))
    check.add(at(5, { prompt: '둘 빼기 둘은?', answer: 0 }))
    expect(check.report()).toMatchObject({ samples: 5, withoutAnswer: 3, trainedTokens: 0 })
  })
})

describe('data prepare', () => {
  const rules: PrepareOptions = {
    ...{ minKorean: 0.5, minChars: 5, maxChars: 200, maxRepeated: 0.3, evalShare: 0 },
    against: new Map([[fingerprint('시험 문제'), 'test.jsonl:1']]),
  }
  const decide = (
    record: Record<string, unknown>,
    preparation = new Preparation(rules),
  ): unknown => {
    const decision = preparation.decide(at(1, record))
    return 'dropped' in decision ? decision.dropped : decision.part
  }

  test.each([
    ['train', { prompt: '질문입니다', completion: '대답입니다' }],
    ['too_short', { prompt: '질', completion: '답' }],
    ['too_long', { prompt: '질문', completion: '가나다라 '.repeat(60) }],
    ['not_korean', { prompt: '질문입니다', completion: 'An answer in English' }],
    ['repetitive', { prompt: '질문', completion: '같은 줄이다\n같은 줄이다\n같은 줄이다' }],
    ['leaked', { prompt: '시험  문제', completion: '대답입니다' }],
  ])('%s', (expected, record) => {
    expect(decide(record)).toBe(expected)
  })

  test('drops the same sample again, but keeps another answer to the same prompt', () => {
    const preparation = new Preparation(rules)
    const first = { prompt: '질문입니다', completion: '대답입니다' }
    expect(decide(first, preparation)).toBe('train')
    expect(decide({ ...first, prompt: '질문 입니다!' }, preparation)).toBe('duplicate')
    expect(decide({ ...first, completion: '다른 대답' }, preparation)).toBe('train')
  })

  test('splits by the prompt itself: the share is met, and more records move none', () => {
    const preparation = new Preparation({ ...rules, evalShare: 0.2 })
    const parts = Array.from({ length: 2000 }, (_, i) =>
      decide({ prompt: `문제 번호 ${i}`, completion: '대답입니다' }, preparation),
    )
    const held = parts.filter(part => part === 'eval').length
    expect(held / 2000).toBeGreaterThan(0.17)
    expect(held / 2000).toBeLessThan(0.23)
    const later = new Preparation({ ...rules, evalShare: 0.2 })
    expect(decide({ prompt: '문제 번호 1999', completion: '또 다른' }, later)).toBe(parts[1999])
  })
})
