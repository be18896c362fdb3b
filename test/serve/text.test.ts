import { expect, test } from 'vitest'
import { Tokenizer } from '../../lib/data/tokenizer.ts'
import { ReasoningSplitter, StoppingText, tokenName } from '../../lib/serve/text.ts'

const mini = await Tokenizer.load('assets/mini')

function split(text: string, size: number, inside = false) {
  const splitter = new ReasoningSplitter(inside)
  const total = { reasoning: '', content: '' }
  for (let i = 0; i <= text.length; i += size) {
    const delta = splitter.push(text.slice(i, i + size), i + size > text.length)
    total.reasoning += delta.reasoning
    total.content += delta.content
  }
  return total
}

test.each([1, 2, 3, 5, 100])('thinking is told apart in pieces of %i characters', size => {
  const both = { reasoning: 'a < b\n\nc', content: 'so <b>\n' }
  expect(split('<think>\na < b\n\nc\n</think>\n\nso <b>\n', size)).toEqual(both)
  expect(split('\na < b\n\nc\n</think>\n\nso <b>\n', size, true)).toEqual(both)
  expect(split('plain <think> text', size)).toEqual({
    reasoning: '',
    content: 'plain <think> text',
  })
  expect(split('<thi', size)).toEqual({ reasoning: '', content: '<thi' })
  expect(split('<think>\nnever closed </thi', size).reasoning).toBe('never closed </thi')
})

test('text ends before the first stop string, wherever the tokens are cut', () => {
  const ids = mini.encode('사과가 3개 있다. 답은 15이다.')
  const stopping = new StoppingText(mini, ['답은', '없는 말'])
  let text = ''
  for (const id of ids) text += stopping.push(id)
  expect(stopping.stopped).toBe(true)
  expect(text).toBe('사과가 3개 있다. ')
  const whole = new StoppingText(mini, ['이다.x'])
  let all = ''
  for (const id of ids) all += whole.push(id)
  expect(all).toBe('사과가 3개 있다. 답은 15')
  expect(all + whole.end()).toBe('사과가 3개 있다. 답은 15이다.')
})

test('a token that is half a character is named by its bytes', () => {
  const ids = mini.encode('뷁')
  expect(ids.length).toBeGreaterThan(1)
  const names = ids.map(id => tokenName(mini, id))
  expect(names[0]!.token).toMatch(/^bytes:\\x/)
  expect(Buffer.from(names.flatMap(({ bytes }) => bytes)).toString()).toBe('뷁')
})
