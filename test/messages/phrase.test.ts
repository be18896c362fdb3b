import { describe, expect, test } from 'vitest'
import { KogrpoError } from '../../lib/errors.ts'
import { ko } from '../../lib/messages/ko.ts'
import { languageOfLocale, speak } from '../../lib/messages/language.ts'
import { failure, inEnglish, joined, phrase, sayIn, written } from '../../lib/messages/phrase.ts'

const say = sayIn(ko)

describe('a phrase', () => {
  const error = new KogrpoError(
    'E_DATA',
    phrase('column "{column}" is not a list of messages', { column: 'a' }),
  )

  test('is English as a string and in JSON, and Korean when said in Korean', () => {
    expect(error.message).toBe('column "a" is not a list of messages')
    expect(JSON.stringify({ text: error.text })).toBe(
      '{"text":"column \\"a\\" is not a list of messages"}',
    )
    expect(say(failure(error))).toBe('"a" 열: 메시지의 목록이 아닙니다')
    expect(inEnglish(failure(error))).toBe(error.message)
  })

  test('translates the phrases in its places, and their failures', () => {
    const missing = Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), {
      code: 'ENOENT',
    })
    const whole = phrase('cannot read recipe {file}: {reason}', {
      file: 'r.yaml',
      reason: failure(missing),
    })
    expect(String(whole)).toBe(`cannot read recipe r.yaml: ${missing.message}`)
    expect(say(whole)).toBe(
      "레시피 r.yaml: 읽을 수 없습니다: ENOENT: 그런 파일이나 디렉터리가 없습니다, open 'x'",
    )
  })

  test('leaves braces of the text and of values alone', () => {
    const odd = phrase(
      '"{rule}" needs a judge; add judge: { kind: program } or { kind: openai, base_url, model }, or set rule: none',
      { rule: '{rule}' },
    )
    expect(String(odd)).toMatch(/^"\{rule\}" needs a judge; add judge: \{ kind: program \}/)
    expect(say(odd)).toMatch(/^"\{rule\}" 규칙에는 심판이 필요합니다\. judge: \{ kind: program \}/)
  })

  test('what has no translation stays as it is', () => {
    for (const words of ['Invalid input', 'constructor', ''])
      expect(say(written(words))).toBe(words)
    expect(say(failure(new Error('EWEIRD: odd, x')))).toBe('EWEIRD: odd, x')
    expect(say(failure('thrown'))).toBe('thrown')
    expect(say(joined(['a', phrase('needs a value')], ': '))).toBe('a: 값이 필요합니다')
  })
})

describe('the language', () => {
  test.each([
    [{}, 'en'],
    [{ LANG: 'C' }, 'en'],
    [{ LANG: 'ko_KR.UTF-8' }, 'ko'],
    [{ LANG: 'ko' }, 'ko'],
    [{ LANG: 'kok_IN.UTF-8' }, 'en'],
    [{ LC_ALL: '', LC_MESSAGES: 'ko_KR.eucKR', LANG: 'en_US.UTF-8' }, 'ko'],
    [{ LC_ALL: 'C.UTF-8', LC_MESSAGES: 'ko_KR.UTF-8', LANG: 'ko_KR.UTF-8' }, 'en'],
  ] as const)('of %j is %s', (env, language) => {
    expect(languageOfLocale(env)).toBe(language)
  })

  test('is spoken', async () => {
    expect((await speak('ko'))('needs a value')).toBe('값이 필요합니다')
    expect((await speak('en'))('needs a value')).toBe('needs a value')
  })
})
