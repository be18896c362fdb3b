import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { BloomFilter } from '../../lib/corpus/filter/bloom.ts'
import { binomialTail, requiredMatches } from '../../lib/corpus/filter/dedup.ts'
import { type FilterOptions, filterCorpus } from '../../lib/corpus/filter/filter.ts'
import { Measurer } from '../../lib/corpus/filter/measure.ts'
import { brokenRule, DEFAULT_RULES } from '../../lib/corpus/filter/rules.ts'
import { KogrpoError } from '../../lib/errors.ts'
import { kogrpo, temporaryDirectory } from '../cli/running.ts'

const directory = temporaryDirectory()
let files = 0
const path = (name: string): string => join(directory, `${files++}-${name}`)

/** xorshift32: the corpora are the same at every run. */
function random(seed: number): (n: number) => number {
  let state = seed
  return n => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % n
  }
}
const next = random(20_260_823)
const syllable = (): string => String.fromCharCode(0xac00 + next(11_172))
const words = Array.from({ length: 5000 }, () =>
  Array.from({ length: 1 + next(4) }, syllable).join(''),
)
const makeText = (count: number): string[] =>
  Array.from({ length: count }, () => words[next(words.length)]!)
const whole = (list: readonly string[]): string => `${list.join(' ')}다.`

function writeTexts(name: string, texts: readonly string[]): string {
  const file = path(name)
  writeFileSync(file, texts.map(text => `${JSON.stringify({ text })}\n`).join(''))
  return file
}

function options(inputs: string[], extra: Partial<FilterOptions> = {}): FilterOptions {
  return {
    ...{ inputs, output: path('out.jsonl'), id: 'test', rules: DEFAULT_RULES, dedup: 'none' },
    ...{ similarity: 0.8, indexBytes: 2 ** 22, threads: 0, saveSeconds: 1000, ...extra },
  }
}
const linesOf = (file: string): string[] => readFileSync(file, 'utf8').trimEnd().split('\n')

describe('rules', () => {
  const measurer = new Measurer()
  const judge = (text: string) => brokenRule(measurer.measure(text), DEFAULT_RULES)
  const good = whole(makeText(60))

  test.each([
    ['kept', good, null],
    ['too_short', '짧은 글이다.', 'too_short'],
    ['too_long', `${good} `.repeat(10_000), 'too_long'],
    ['broken_text', `${good}\ufffd\u0001`, 'broken_text'],
    ['not_korean', 'An English text of some length. '.repeat(5) + good.slice(0, 60), 'not_korean'],
    ['few_letters', `${good} ${'=-|'.repeat(100)}`, 'few_letters'],
    ['jamo', `${good} ${'ㅋㅋㅋㅠㅠ'.repeat(4)}`, 'jamo'],
    ['repeated_lines', `${good}\n${'홈으로 로그인\n'.repeat(20)}`, 'repeated_lines'],
    ['few_sentences', good.replaceAll('.', ''), 'few_sentences'],
  ])('%s', (_name, text, rule) => {
    expect(judge(text)).toBe(rule)
  })

  test('repeated runs: characters that stand in runs of 20 which occurred before, each once', () => {
    const unit = Array.from({ length: 50 }, syllable).join('')
    const once = measurer.measure(unit)
    expect(once).toMatchObject({ reduced: 50, repeatedRunChars: 0 })
    expect(measurer.measure(`${unit} ${unit}`).repeatedRunChars).toBe(50)
    expect(measurer.measure(unit + unit.slice(0, 25)).repeatedRunChars).toBe(25)
    expect(measurer.measure(unit + unit.slice(0, 19)).repeatedRunChars).toBe(0)
    expect(judge(whole([unit, unit, unit, unit]))).toBe('repeated_text')
  })

  test('decomposed Hangul counts as Hangul, and a sentence ends before a space or the end', () => {
    const measured = measurer.measure('가나다. 라마!\n1.5배'.normalize('NFD'))
    expect(measured).toMatchObject({ hangul: 6, jamo: 0, digits: 2, sentences: 2, lineChars: 11 })
  })
})

describe('index', () => {
  test('a Bloom filter forgets nothing and its false rate is the one it states', () => {
    const filter = new BloomFilter(2 ** 16)
    const key = random(7)
    const pairs = Array.from({ length: 60_000 }, () => [key(2 ** 32), key(2 ** 32)] as const)
    for (const [a, b] of pairs.slice(0, 40_000)) filter.add(a, b)
    expect(pairs.slice(0, 40_000).every(([a, b]) => filter.has(a, b))).toBe(true)
    const wrong = pairs.slice(40_000).filter(([a, b]) => filter.has(a, b)).length / 20_000
    // 13 bits a key: 0.2 % without blocks, a little more with them.
    expect(wrong).toBeGreaterThan(0)
    expect(wrong).toBeLessThan(0.01)
    expect(Math.abs(filter.falsePositiveRate() - wrong)).toBeLessThan(0.003)
  })

  test('the number of bands that makes a duplicate', () => {
    expect(binomialTail(4, 0.5, 2)).toBeCloseTo(11 / 16, 12)
    expect(requiredMatches(0.8)).toBe(9)
    const dropped = (s: number): number => binomialTail(32, s ** 4, requiredMatches(0.8))
    expect([0.9, 0.8, 0.7, 0.6].map(s => Number(dropped(s).toFixed(3)))).toEqual([
      1, 0.954, 0.356, 0.018,
    ])
  })

  test('an index that is too small to tell stops the run, naming the remedy', async () => {
    const file = writeTexts(
      'many.jsonl',
      Array.from({ length: 5000 }, () => whole(makeText(40))),
    )
    await expect(
      filterCorpus(options([file], { dedup: 'minhash', indexBytes: 2 ** 14 })),
    ).rejects.toThrow(/index of duplicates is full: .*--index-memory/)
  })
})

describe('planted duplicates', () => {
  // 1,000 texts; 300 of them once more: 100 exact but for punctuation, 100 with 3 % of the words
  // changed, 100 with 60 %; and 200 others.
  const originals = Array.from({ length: 1000 }, () => makeText(120))
  const changed = (list: readonly string[], share: number): string[] =>
    list.map(word => (next(1000) < 1000 * share ? words[next(words.length)]! : word))
  const punctuated = originals.slice(0, 100).map(list => `${list.join(', ').toUpperCase()}다!`)
  const near = originals.slice(100, 200).map(list => whole(changed(list, 0.03)))
  const unchanged = near.filter((text, i) => text === whole(originals[100 + i]!)).length
  const far = originals.slice(200, 300).map(list => whole(changed(list, 0.6)))
  const fresh = Array.from({ length: 200 }, () => whole(makeText(120)))
  const texts = [...originals.map(whole), ...punctuated, ...near, ...far, ...fresh]
  const file = writeTexts('planted.jsonl', texts)

  async function dropped(extra: Partial<FilterOptions>): Promise<number[]> {
    const run = options([file], { ...extra, dropped: path('dropped.jsonl') })
    const report = await filterCorpus(run)
    const places = linesOf(run.dropped!).map(
      line => (JSON.parse(line) as { source: string; rule: string }).source,
    )
    expect(report.dropped.duplicate).toBe(places.length)
    expect(report.kept).toBe(texts.length - places.length)
    const lines = places.map(place => Number(/\d+$/.exec(place)![0]))
    const between = (a: number, b: number): number => lines.filter(l => l > a && l <= b).length
    return [between(0, 1000), between(1000, 1100), between(1100, 1200), between(1200, 1500)]
  }

  test('exact finds what differs in punctuation and case only: precision 1, recall 1', async () => {
    expect(await dropped({ dedup: 'exact' })).toEqual([0, 100, unchanged, 0])
    expect(unchanged).toBe(2)
  })

  test('minhash finds exact and near duplicates: precision 1, recall at least 0.98', async () => {
    const [original, exact, similar, others] = await dropped({ dedup: 'minhash' })
    expect([original, exact, others]).toEqual([0, 100, 0])
    expect(similar).toBeGreaterThanOrEqual(96)
  })

  test('ngram finds texts of which half is known: precision 1, recall 0.97', async () => {
    // A changed word hides the ten words of a run: of a text about three quarters stay known.
    const [original, exact, similar, others] = await dropped({ dedup: 'ngram', similarity: 0.5 })
    expect([original, exact, others]).toEqual([0, 100, 0])
    expect(similar).toBeGreaterThanOrEqual(94)
  })
})

describe('runs', () => {
  const texts = Array.from({ length: 3000 }, () => whole(makeText(100)))
  const repeats = texts.map((text, i) => (i % 5 === 4 ? texts[next(i)]! : text))
  const file = writeTexts('corpus.jsonl', repeats)

  test.skipIf(!existsSync('dist/corpus/filter/worker.js'))('threads change no byte', async () => {
    const alone = options([file], { dedup: 'minhash' })
    const report = await filterCorpus(alone)
    const two = options([file], { dedup: 'minhash', threads: 2 })
    expect(await filterCorpus(two)).toEqual(report)
    expect(readFileSync(two.output).equals(readFileSync(alone.output))).toBe(true)
    expect(report.dropped.duplicate).toBeGreaterThan(500)
  })

  test('a stopped run goes on to the same bytes and counts, in every format', async () => {
    const gz = path('corpus.jsonl.gz')
    writeFileSync(gz, gzipSync(readFileSync(file)))
    const inputs = [file, gz]
    const through = options(inputs, { dedup: 'minhash', dropped: path('dropped.jsonl') })
    const expected = await filterCorpus(through)
    expect(expected.kept + expected.dropped.duplicate).toBe(6000)
    const stopped = options(inputs, { dedup: 'minhash', dropped: path('dropped.jsonl') })
    // Once in the plain file and once in the packed one.
    for (const stop of [0, 1]) {
      const controller = new AbortController()
      await expect(
        filterCorpus({
          ...stopped,
          signal: controller.signal,
          onProgress: ({ file }) => file === stop && controller.abort(),
        }),
      ).rejects.toThrow(/abort/)
    }
    expect(readdirSync(directory).some(name => /index\d$/.test(name))).toBe(true)
    expect(await filterCorpus(stopped)).toEqual(expected)
    expect(readFileSync(stopped.output).equals(readFileSync(through.output))).toBe(true)
    expect(readFileSync(stopped.dropped!).equals(readFileSync(through.dropped!))).toBe(true)
    expect(readdirSync(directory).filter(name => /index|state|partial/.test(name))).toEqual([])
  })

  test('a file of a stopped run that lost its end is refused, not filled with zeros', async () => {
    const stopped = options([file, file])
    const controller = new AbortController()
    const onProgress = ({ file }: { file: number }) => file === 1 && controller.abort()
    const run = filterCorpus({ ...stopped, signal: controller.signal, onProgress })
    await expect(run).rejects.toThrow(/abort/)
    truncateSync(`${stopped.output}.test.partial`, 1000)
    await expect(filterCorpus(stopped)).rejects.toThrow(/out\.jsonl\.test\.partial is cut off/)
  })

  test('a result that cannot get its name says why', async () => {
    const run = options([file])
    mkdirSync(join(run.output, 'in-the-way'), { recursive: true })
    await expect(filterCorpus(run)).rejects.toThrow(/--output .*(EISDIR|ENOTEMPTY|EEXIST)/)
  })

  test('a bad line is named with its file and line, behind a whole block too', async () => {
    const bad = path('bad.jsonl')
    writeFileSync(bad, `${readFileSync(file, 'utf8')}\n{"text": "열린`)
    const error = await filterCorpus(options([bad])).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(KogrpoError)
    expect((error as KogrpoError).message).toMatch(/bad\.jsonl:3002: the line is not valid JSON/)
    const none = path('none.jsonl')
    writeFileSync(none, '{"body": "글"}\n')
    await expect(filterCorpus(options([none]))).rejects.toThrow(
      /none\.jsonl:1: no "messages", "prompt" or "text" \(columns: body\)/,
    )
  })

  test('kept lines are the bytes that were read', async () => {
    const odd = path('odd.jsonl')
    const line = `{ "text" :  ${JSON.stringify(texts[0])}, "가": 1.50 }`
    writeFileSync(odd, `\ufeff${line}\r\n\n${line.replace('1.50', '2')}`)
    const run = options([odd])
    expect(await filterCorpus(run)).toMatchObject({ records: 2, kept: 2 })
    expect(readFileSync(run.output, 'utf8')).toBe(`\ufeff${line}\r\n${line.replace('1.50', '2')}\n`)
  })
})

describe('kogrpo corpus filter', () => {
  test('prints the counts of every rule', async () => {
    const file = writeTexts('cli.jsonl', [whole(makeText(60)), '짧다.', 'x'.repeat(200)])
    const output = path('kept.jsonl')
    const args = ['corpus', 'filter', file, '--output', output, '--threads', '0', '--json']
    const { code, stdout } = await kogrpo(args)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ records: 3, kept: 1 },
      dropped: { too_short: 1, not_korean: 1, duplicate: 0 },
    })
    expect(linesOf(output)).toHaveLength(1)
  })

  test('judges on threads, with a checkpoint and without one', async () => {
    const text = '사과 3개에 4개를 더하면 모두 7개입니다. 그래서 답은 7입니다.'
    const file = writeTexts('threads.jsonl', [text, '짧다'])
    for (const model of [[], ['--model', 'builtin:mini']]) {
      const output = path(`threads${model.length}.jsonl`)
      const base = ['corpus', 'filter', file, '--output', output, '--threads', '2', '--json']
      const { code, stdout, stderr } = await kogrpo([...base, '--min-chars', '10', ...model])
      expect([code, stderr]).toEqual([0, ''])
      expect(JSON.parse(stdout)).toMatchObject({ records: 2, kept: 1, dropped: { too_short: 1 } })
      expect(JSON.parse(linesOf(output)[0]!)).toEqual({ text })
    }
  })

  test('keeps what lies in the window of perplexity under a checkpoint', async () => {
    const korean = '사과 3개에 4개를 더하면 모두 7개입니다. 그래서 답은 7입니다.'
    const noise = whole(makeText(12))
    const file = writeTexts('ppl.jsonl', [korean, noise])
    const output = path('kept.jsonl')
    const base = ['corpus', 'filter', file, '--output', output, '--threads', '0', '--json']
    const args = [...base, '--min-chars', '10', '--model', 'builtin:mini']
    const measured = await kogrpo(args)
    const { perplexity } = JSON.parse(measured.stdout) as { perplexity: Record<string, number> }
    const [low, high] = [perplexity['0.01']!, perplexity['0.99']!]
    expect(high / low).toBeGreaterThan(3)
    const bound = String(Math.sqrt(low * high))
    const { stdout } = await kogrpo([...args, '--max-perplexity', bound])
    expect(JSON.parse(stdout)).toMatchObject({ kept: 1, dropped: { perplexity: 1 } })
    expect(JSON.parse(linesOf(output)[0]!)).toEqual({ text: korean })
  })

  test.each([
    [['--max-perplexity', '10'], '--max-perplexity: needs --model'],
    [['--dedup', 'exact', '--similarity', '0.5'], '--similarity: has no effect with --dedup exact'],
    [['--dedup', 'simhash'], '--dedup: expected one of none, exact, minhash, ngram'],
    [['--min-korean', '2'], '--min-korean: expected a number, 0 to 1'],
  ])('%j is refused with the reason', async (extra, message) => {
    const { code, stderr } = await kogrpo([
      'corpus',
      'filter',
      'x.jsonl',
      '--output',
      'y',
      ...extra,
    ])
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})

const shared = '../shared/data'
test.skipIf(!existsSync(shared))(
  'real data: Korean passes, English and repeats do not',
  async () => {
    const nolli = readdirSync(`${shared}/nolli`)
      .filter(name => name.endsWith('_easy.jsonl'))
      .sort()
      .map(name => `${shared}/nolli/${name}`)
    const columns = { prompt: 'question', completion: 'solution' }
    const rules = { ...DEFAULT_RULES, minLetters: 0.4, maxRepeatedLines: 1, maxRepeatedRuns: 1 }
    const exact = await filterCorpus(
      options([...nolli, nolli[0]!], { rules, columns, dedup: 'exact' }),
    )
    // Nine tasks of 100, and the first once more.
    expect(exact.records).toBe(1000)
    expect(exact.dropped).toMatchInlineSnapshot(`
      {
        "broken_text": 0,
        "duplicate": 100,
        "few_letters": 81,
        "few_sentences": 0,
        "jamo": 149,
        "not_korean": 0,
        "perplexity": 0,
        "repeated_lines": 0,
        "repeated_text": 0,
        "too_long": 0,
        "too_short": 0,
      }
    `)
    const english = { columns: { text: 'question' }, dedup: 'minhash' } as const
    const gsm8k = await filterCorpus(options([`${shared}/gsm8k/train.jsonl`], english))
    expect(gsm8k.kept).toBe(0)
    expect(gsm8k.dropped.not_korean + gsm8k.dropped.too_short).toBe(7473)
  },
)
