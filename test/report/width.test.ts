import { expect, test } from 'vitest'
import { displayWidth, pad, printable, table, truncate, wrap } from '../../lib/report/width.ts'

test.each([
  ['abc', 3],
  ['한국어', 6],
  ['ㄱㅏ', 4],
  ['\u1112\u1161\u11ab', 2], // conjoining Jamo of one syllable
  ['e\u0301', 1],
  ['ＡＢ', 4],
  ['漢字かな', 8],
  ['👍🏽', 2],
  ['👩‍👩‍👧', 2],
  ['−…±', 3],
  ['', 0],
])('%j takes %i columns', (text, width) => {
  expect(displayWidth(text)).toBe(width)
})

test('cutting never exceeds the columns and never halves a syllable', () => {
  expect(truncate('한국어로 생각', 20)).toBe('한국어로 생각')
  expect(truncate('한국어로 생각', 6)).toBe('한국…')
  expect(truncate('한국어로 생각', 7)).toBe('한국어…')
  for (let columns = 1; columns < 14; columns++) {
    expect(displayWidth(truncate('가a나bb다ccc라', columns))).toBeLessThanOrEqual(columns)
  }
})

test('padding counts columns', () => {
  expect(pad('한글', 6, 'left')).toBe('한글  ')
  expect(pad('한글', 6, 'right')).toBe('  한글')
  expect(pad('한글한글', 6, 'right')).toBe('한글한글')
})

test('wrapping breaks at spaces, and inside words that are too long', () => {
  expect(wrap('사과 열 개를 나눈다', 9)).toEqual(['사과 열', '개를', '나눈다'])
  expect(wrap('가나다라마', 4)).toEqual(['가나', '다라', '마'])
  expect(wrap('a\n\nb', 4)).toEqual(['a', '', 'b'])
  expect(wrap('  x = 1', 20)).toEqual(['  x = 1'])
  const long =
    '한국어 문장을 여러 줄로 나눈다. Then English words follow, and 숫자 12345678901234567890.'
  for (const line of wrap(long, 11)) expect(displayWidth(line)).toBeLessThanOrEqual(11)
  expect(wrap(long, 11).join('').replaceAll(' ', '')).toBe(long.replaceAll(' ', ''))
})

test('control sequences of a model do not reach the terminal', () => {
  expect(printable('a\u001b[31mb\r\n\u0007\u007f\u009bc\td')).toBe('a␛[31mb\n␇␡�c  d')
})

test('tables align wide cells', () => {
  expect(
    table(
      [
        ['모델', 'x'],
        ['base', '10'],
      ],
      ['left', 'right'],
    ),
  ).toEqual(['모델   x', 'base  10'])
})
