import { describe, expect, it } from 'vitest'
import { koreanReward, koreanShare } from '../../lib/rewards/korean.ts'
import { languageMetrics } from '../../lib/rewards/language/metrics.ts'
import { leakOf, type Profile, profile, shareOf } from '../../lib/rewards/language/profile.ts'
import { languageRequest } from '../../lib/rewards/language/request.ts'
import { type Language, segments } from '../../lib/rewards/language/segments.ts'
import { repeatedShare, repetitionReward } from '../../lib/rewards/repetition.ts'
import type { RewardInput } from '../../lib/rewards/types.ts'
import { hasShared, sharedRecords, skipNote } from '../conformance/shared.ts'
import { processorMs } from '../processor-time.ts'

function batch(completions: string[], prompt = '문제를 푸세요'): RewardInput {
  return {
    prompts: completions.map(() => [{ role: 'user', content: prompt }]),
    completions,
    completionIds: completions.map(() => new Int32Array(1)),
    truncated: completions.map(() => false),
    columns: {},
  }
}
const completion = (thinking: string, answer: string): string =>
  `<think>\n${thinking}\n</think>\n\n${answer}`
const one = async (options: object, text: string, prompt?: string): Promise<number | null> =>
  (await koreanReward(options)(batch([text], prompt)))[0]!

describe('segments', () => {
  it('gives every letter to one language', () => {
    const languages = (text: string): [Language, number, number][] =>
      segments(text).map(({ language, letters, words }) => [language, letters, words])
    expect(languages('사과 apple은 三個 リンゴ')).toEqual([
      ['korean', 2, 1],
      ['latin', 5, 1],
      ['korean', 1, 0],
      ['japanese', 2, 1],
      ['japanese', 3, 2],
    ])
    expect(languages('我们需要计算。苹果')).toEqual([['chinese', 8, 4]])
    expect(languages('яблоко')).toEqual([['other', 6, 1]])
    // Korean without spaces is not one word.
    expect(languages('사과는모두열다섯개입니다')).toEqual([['korean', 12, 2]])
    const text = 'aé가漢あ–я ㈜ ー〆µ 각'.normalize('NFC')
    const letters = segments(text).reduce((sum, segment) => sum + segment.letters, 0)
    expect(letters).toBe(text.match(/\p{L}/gu)!.length)
  })
})

describe('short words in capitals', () => {
  const korean = '이등변삼각형이다'
  const latin = (text: string): number =>
    profile(`${korean} ${text} ${korean}`).counted.latin.letter

  it.each([
    '삼각형 ABC와 DEF에서 AB = DE, ∠ABC = ∠DEF = 60°',
    'AB BC CD DA의 길이',
    'AM BE ON HE SO',
    'GCD(12, 18) = 6, LCM(12, 18) = 36',
    'SSS SAS ASA RHS 합동',
    'AND, OR, NOT, XOR 게이트',
    '=IF(SUM(A1:A3) > 5, MAX(B1, B2), 0)',
    '5 cm, 3 KB, 7 AM',
    'WHO, IMF, IT 기업과 USB, DNA, RNA',
    // One that may as well be a name.
    '삼각형 SIX',
    'TEN = 3',
  ])('are points and abbreviations: %s', text => {
    expect(latin(text)).toBe(0)
  })

  it.each([
    ['WE ADD SIX', 8],
    ['WE ADD 6 AND 3, SO NINE', 14],
    ['SUM IS 9', 0],
    ['SUM IS NINE', 9],
    ['THE AGE IS 12', 8],
    ['A TIME OF TEN DAYS', 13],
    // Longer words have always counted.
    ['SEVEN EQUALS IT', 11],
    ['SEVEN APPLES IN TWO BAGS', 20],
    ['ABC WAS NOT DEF', 12],
    ['we add SIX AND TWO', 14],
  ])('are English: %s', (text, letters) => {
    expect(latin(text)).toBe(letters)
  })

  it('as thinking are no Korean, however little Korean is beside them', async () => {
    const thinking = 'WE ADD SIX AND TWO. IT IS 8. 네'
    expect(koreanShare(thinking)).toEqual({ share: 1 / 19, korean: 1, letters: 19 })
    const answer = '정답은 8입니다.'
    expect(await one({}, completion(thinking, answer))).toBe(0)
    // The prompt's own words are exempt up to half of the Korean, as ever.
    const said = '문제는 WE ADD SIX AND TWO 입니다. 여섯에 둘을 더하면 모두 여덟 개가 됩니다'
    expect(await one({}, completion(said, answer))).toBe(0)
    expect(
      await one(
        {},
        completion(said, answer),
        '다음 문장이 뜻하는 바를 우리말로 풀어 쓰고 값을 셈하세요: WE ADD SIX AND TWO',
      ),
    ).toBe(1)
  })
})

describe('exemptions', () => {
  const share = (text: string, options = {}): number | null =>
    shareOf(profile(text, options), 'letter')

  it('takes quotations, glosses, names, and prose in formulas up to half of the Korean', () => {
    for (const text of [
      '중국어로 서울은 "首尔"이라고 씁니다',
      '서울(首爾)은 대한민국의 수도입니다',
      '“hello”라는 문장을 출력하는 문제입니다',
      '함수가 조건을 만족할 때 torus라고 한다, torus 위의 모든 점은 그렇다',
      'Emily는 사과를 세 개 가지고 있고, 그래서 Emily가 이깁니다',
      '확률 변수의 분포는 다음과 같이 $X = 1 \\text{ with chance } p$ 로 정의되며 서로 독립인 값입니다',
      '다음과 같은 식을 얻습니다 \\begin{align*} f(x) &= 1 \\text{ for all } x \\end{align*} 따라서',
      '그림 [asy] size(5cm); draw((0,0)--(1,1)); label("A", (0,0)); [/asy] 을 보자',
    ]) {
      expect(share(text), text).toBe(1)
    }
    expect(share('중국어로 서울은 "首尔"이라고 씁니다', { quotes: false })).toBeCloseTo(13 / 15, 12)
    // 4 Korean letters excuse 2 of the 15 quoted ones.
    expect(share('정답 "total is fifteen" 이다')).toBeCloseTo(4 / (4 + 14 - 2), 12)
    expect(share('"we add three and five"')).toBe(0)
    // A repeated word costs once: 11 letters of names, of which 10 / 2 are free.
    const named = 'Jackson은 Jackson과 Jackson이 Amy를 본다'
    expect(share(named)).toBeCloseTo(6 / (6 + 10 - 3), 12)
    // Not a name, but the end of a phrase.
    expect(profile('the price of Apple은').counted.latin.letter).toBe(15)
  })

  it('counts prose that hides in code, and leaves code alone', () => {
    expect(
      share('코드는 다음과 같습니다\n```python\nfor i in range(3):\n    print(total[i])\n```'),
    ).toBe(1)
    const hidden = '생각합니다 ```first we add three apples and then five more apples to it```'
    expect(share(hidden)!).toBeLessThan(0.2)
  })

  it('counts prose that hides in formulas, commands, code and links, in any script', () => {
    for (const hidden of [
      '$我们先计算苹果的总数$',
      '\\(我们先计算苹果的总数\\)',
      '\\mathrm{first we add three apples}',
      '$\\mathrm{first we add three apples}$',
      '\\begin{align*} \\mathrm{first we add three apples} \\end{align*}',
      '$сначала сложим яблоки$',
      '`我们先计算苹果的总数再减去三`',
      '```\n我们先计算苹果的总数再减去三\n```',
      'https://我们先计算苹果的总数',
    ]) {
      expect(share(`가 ${hidden}`)!, hidden).toBeLessThan(0.15)
    }
    // 10 letters, of which half of the one Korean letter is free.
    expect(share('가 $我们先计算苹果的总数$')).toBeCloseTo(1 / (1 + 10 - 0.5), 12)
    for (const neutral of [
      '$\\mathrm{cm} + \\overline{AB} = α + βγ$',
      '\\operatorname{lcm}(3, 5)',
      '$\\text{넓이} = 3$',
      '`x = f(y)`',
      'https://ko.wikipedia.org/wiki/사과?a=b',
    ]) {
      expect(share(`가 ${neutral}`), neutral).toBe(1)
    }
  })

  it('counts each broken character like a foreign letter, wherever it stands', async () => {
    expect(share('사과가 다섯 개')).toBe(1)
    expect(share('사과가 다섯\u{fffd} 개')).toBe(6 / 7)
    // Neither quotation marks nor formulas and code hide them.
    for (const text of [
      '사과가 "다섯\u{fffd}" 개',
      '사과가 다섯 개 $\u{fffd}$',
      '사과가 다섯 `\u{fffd}` 개',
    ]) {
      expect(share(text), text).toBe(6 / 7)
    }
    expect(share('\u{fffd}\u{fffd}')).toBe(0)
    expect(profile('12\u{fffd}+3').broken).toEqual({ letter: 1, word: 1 })
    expect(profile(`가${'\u{fffd}'.repeat(7)}나\u{fffd}`).broken).toEqual({ letter: 8, word: 3 })
    // 3 words of Korean beside one run of broken characters.
    expect(shareOf(profile('사과가 다섯\u{fffd}\u{fffd} 개'), 'word')).toBe(3 / 4)
    const text = completion('사과가 다섯 개\u{fffd}', '답은 다섯')
    expect(await one({ value: 'share' }, text)).toBe(6 / 7)
    expect(await one({}, text)).toBe(1)
    expect(await one({}, completion('사과가 다섯\u{fffd}\u{fffd} 개', '답은 다섯'))).toBe(0)
    expect(await one({ max_leak: 0 }, text)).toBe(1)
    // A prompt that is broken itself, or asks for another language, excuses none.
    expect(await one({ value: 'share' }, text, '사과\u{fffd} 몇 개?')).toBe(6 / 7)
    expect(await one({}, completion('사과가 다섯 개', 'five\u{fffd}'), '영어로 답하세요')).toBe(0)
  })

  it('takes what stands in quotation marks, unless it shall not', async () => {
    const text = completion('중국어로 서울은 "首尔"이라고 씁니다', '답은 5입니다')
    expect(await one({ value: 'share' }, text)).toBe(1)
    expect(await one({ value: 'share', exempt_quotes: false }, text)).toBeCloseTo(13 / 15, 12)
  })

  it('takes words of a Korean prompt, and languages that it asks for', async () => {
    const prompt = 'apple 변수의 값을 모두 더하면 얼마입니까?'
    const text = completion('변수 apple 값을 모두 더하면 다섯이 됩니다', '답은 5입니다')
    expect(await one({ value: 'share' }, text, prompt)).toBe(1)
    expect(await one({ value: 'share' }, text)).toBeCloseTo(15 / 20, 12)
    expect(await one({ value: 'share', exempt_prompt: false }, text, prompt)).toBeCloseTo(
      15 / 20,
      12,
    )
    // The words of an English prompt excuse nothing.
    const english = 'apple is what we add up here'
    expect(await one({ value: 'share' }, text, english)).toBeCloseTo(15 / 20, 12)

    const translated = completion('이 문장을 번역하겠습니다', 'I would like to eat an apple')
    expect(await one({}, translated, '다음 문장을 영어로 번역하세요: 사과를 먹고 싶다')).toBe(1)
    expect(await one({}, translated, '사과를 먹고 싶다')).toBe(0)
    // Asking for an English answer asks for no English thinking.
    const thought = completion('I would like to translate this', 'I would like to eat an apple')
    expect(await one({}, thought, '다음 문장을 영어로 번역하세요: 사과')).toBe(0)
  })

  it('reads requests, and their opposites', () => {
    const asked = (content: string): Language[] => [
      ...languageRequest([{ role: 'user', content }]).languages,
    ]
    expect(asked('영어로 답하세요')).toEqual(['latin'])
    expect(asked('일본어로 번역해 줘')).toEqual(['japanese', 'chinese'])
    expect(asked('이름을 한자로 쓰시오')).toEqual(['chinese'])
    expect(asked('Answer in Chinese, please.')).toEqual(['chinese'])
    expect(asked('러시아어로만 말해 봐')).toEqual(['other'])
    for (const none of [
      '영어 시험을 본 학생은 몇 명인가?',
      '영어로 생각하지 마세요',
      '영어로 말고 한국어로 답하세요',
      '영어로 쓰지 마세요',
      '영어로 된 책이 3권 있다',
      'Do not answer in English.',
    ]) {
      expect(asked(none), none).toEqual([])
    }
    const parts = [{ type: 'text', text: '영어로 쓰세요' }]
    expect(languageRequest([{ role: 'user', content: parts }]).languages.size).toBe(1)
    expect(languageRequest([{ role: 'system', content: '영어로 쓰세요' }]).languages.size).toBe(0)
  })
})

describe('the Korean reward', () => {
  it('follows its options', async () => {
    const mixed = completion('사과 값을 total 로 더합니다', '답은 fifteen 입니다')
    // 9 Korean and 5 Latin letters; in words 4 and 1. The answer: 5 and 7, 2 and 1.
    expect(await one({ value: 'share' }, mixed)).toBeCloseTo(5 / 12, 12)
    expect(await one({ value: 'share', parts: 'thinking' }, mixed)).toBeCloseTo(9 / 14, 12)
    expect(await one({ value: 'share', parts: 'answer' }, mixed)).toBeCloseTo(5 / 12, 12)
    expect(await one({ value: 'share', unit: 'word' }, mixed)).toBeCloseTo(2 / 3, 12)
    expect(await one({ value: 'share', unit: 'both' }, mixed)).toBeCloseTo(5 / 12, 12)
    expect(await one({ parts: 'thinking', threshold: 0.64 }, mixed)).toBe(1)
    expect(await one({ parts: 'thinking', threshold: 0.65 }, mixed)).toBe(0)
    const leak = completion(
      '사과의 전체 값을 구하기 위하여 计算 해 보면 모두 십오 원입니다',
      '15원',
    )
    expect(await one({}, leak)).toBe(1)
    expect(await one({ max_leak: 0.05 }, leak)).toBe(0)
    expect(await one({ max_leak: 0.1 }, leak)).toBe(1)
    expect(() => koreanReward({ value: 'share', threshold: 0.5 })).toThrow(
      /threshold: has no effect with value: share/,
    )
    expect(() => koreanReward({ max_leak: 1 })).toThrow(/max_leak/)
    expect(() => koreanReward({ unit: 'syllable' })).toThrow(/unit/)
  })
})

describe('language metrics', () => {
  it('name what leaks, and where the language changes', () => {
    const metrics = languageMetrics(
      batch([
        completion('사과는 다섯 개입니다', '답은 5개'),
        completion('사과는 five 개이고 计算 하면', '답은 リンゴ'),
        completion('12 + 3', '15'),
        '답\u{fffd}',
      ]),
    )
    expect(metrics).toEqual({
      'language/thinking_korean_share': expect.closeTo((1 + 8 / 14) / 2, 12),
      'language/thinking_korean_word_share': expect.closeTo((1 + 3 / 5) / 2, 12),
      'language/answer_korean_share': expect.closeTo((1 + 2 / 5 + 1 / 2) / 3, 12),
      'language/answer_korean_word_share': expect.closeTo((1 + 1 / 3 + 1 / 2) / 3, 12),
      'language/chinese_leak_rate': 0.25,
      'language/japanese_leak_rate': 0.25,
      'language/latin_leak_rate': 0.25,
      'language/other_leak_rate': 0,
      'language/switches': 4 / 3,
      'language/broken_text_rate': 0.25,
    })
  })

  it('takes bounded time on hostile texts', () => {
    const n = 50_000
    for (const piece of [
      '$',
      '`',
      '"a',
      '“a',
      '가(a',
      '\\[',
      '\\(',
      '[asy]',
      '漢、',
      '\u{e000}',
      'a가漢あ',
      '\\begin{align}',
      "'a ",
      'Ab cd ',
      '영어',
    ]) {
      const text = piece.repeat(n / piece.length)
      const start = processorMs()
      languageMetrics(batch([`<think>${text}`], text))
      expect(processorMs() - start, piece).toBeLessThan(5000)
    }
  })
})

describe('repetition', () => {
  const limit = { max_completion_length: 200 }

  it('counts n-grams that came before, exactly', () => {
    const naive = (tokens: number[], n: number): number => {
      const grams = tokens
        .slice(0, tokens.length - n + 1)
        .map((_, i) => tokens.slice(i, i + n).join())
      return grams.length === 0 ? 0 : 1 - new Set(grams).size / grams.length
    }
    let x = 1
    for (const n of [1, 2, 3, 4, 5, 7, 8, 13]) {
      for (const alphabet of [2, 3, 50]) {
        const tokens = Array.from({ length: 60 }, () => {
          x = (Math.imul(x, 1664525) + 1013904223) >>> 0
          return (x >>> 16) % alphabet
        })
        expect(repeatedShare(tokens, n)).toBeCloseTo(naive(tokens, n), 14)
      }
    }
    expect([repeatedShare([], 3), repeatedShare([1, 1], 3), repeatedShare([1, 1, 1], 3)]).toEqual([
      0, 0, 0,
    ])
  })

  it('punishes loops in proportion, follows its options, and refuses what cannot bite', async () => {
    const loop = Int32Array.from({ length: 103 }, (_, i) => i % 4)
    const plain = Int32Array.from({ length: 103 }, (_, i) => i)
    const input = { ...batch(['', '', '']), completionIds: [loop, plain, loop.slice(0, 3)] }
    expect(await repetitionReward({ ngram_size: 4 }, limit)(input)).toEqual([-0.96, 0, 0])
    const gentle = repetitionReward({ ngram_size: 4, max_penalty: -0.5 }, limit)
    expect(await gentle(input)).toEqual([-0.48, 0, 0])
    expect(await repetitionReward({}, limit)(input)).toEqual([
      expect.closeTo(-(1 - 4 / 84), 12),
      0,
      0,
    ])
    expect(() => repetitionReward({ ngram_size: 200 }, limit)).toThrow(/can come twice/)
    expect(() => repetitionReward({ max_penalty: 1 }, limit)).toThrow(/max_penalty/)
    expect(() => repetitionReward({ ngram_size: 0 }, limit)).toThrow(/ngram_size/)
  })

  it('takes bounded time on a long completion', () => {
    const start = processorMs()
    const tokens = Int32Array.from({ length: 32_768 }, (_, i) => i % 977)
    expect(repeatedShare(tokens, 40)).toBeCloseTo(1 - 977 / (32_768 - 39), 14)
    expect(processorMs() - start).toBeLessThan(3000)
  })
})

describe.skipIf(!hasShared)(`real texts${skipNote}`, () => {
  it('tells Korean from the rest at the reward’s threshold, by letters and by words, and names the leak', async () => {
    const rows = ['cld3_sentences.jsonl', 'polymath_parallel_ko_en_ja_zh.jsonl'].flatMap(name =>
      sharedRecords<{ lang: string; text: string }>('langid', name),
    )
    const profiles = rows.map(({ lang, text }): [string, Profile] => [lang, profile(text)])
    for (const unit of ['letter', 'word'] as const) {
      const right = (korean: boolean): number => {
        const some = profiles.filter(([lang]) => (lang === 'ko') === korean)
        const told = some.filter(([, p]) => (shareOf(p, unit) ?? 0) >= 0.8 === korean)
        return told.length / some.length
      }
      expect(right(true)).toBeGreaterThanOrEqual(500 / 501)
      expect(right(false)).toBe(1)
    }
    // As thinking and answer of the reward itself.
    const rewards = await koreanReward()(batch(rows.map(({ text }) => completion(text, text))))
    const wrong = rows.filter(({ lang }, i) => (lang === 'ko' ? 1 : 0) !== rewards[i])
    expect(wrong.filter(({ lang }) => lang === 'ko').length).toBeLessThanOrEqual(2)
    expect(wrong.filter(({ lang }) => lang !== 'ko')).toEqual([])
    for (const [lang, { counted }] of profiles) {
      if (lang === 'zh')
        expect([counted.chinese.letter > 0, counted.japanese.letter]).toEqual([true, 0])
      if (lang === 'ja')
        expect([counted.chinese.letter, counted.japanese.letter > 0]).toEqual([0, true])
    }
    const korean = profiles.filter(([lang]) => lang === 'ko')
    expect(korean.every(([, p]) => leakOf(p) === 0)).toBe(true)
    expect(koreanShare(rows.find(({ lang }) => lang === 'ko')!.text).share).toBe(1)
  })
})
