/** Text from strangers is read up to a bound. */
import { expect, it } from 'vitest'
import { readForeignReply } from '../lib/foreign-json.ts'

/** A reply in pieces, of which `sent` counts those that were asked for. */
function reply(pieces: readonly string[]): {
  body: AsyncGenerator<Uint8Array>
  sent: () => number
} {
  let sent = 0
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) {
      sent++
      yield new TextEncoder().encode(piece)
    }
  }
  return { body: body(), sent: () => sent }
}

it('an HTTP reply is text of at most so many bytes, and no more of it is read', async () => {
  expect(await readForeignReply(reply(['가나', '다']).body, 9)).toBe('가나다')
  expect(await readForeignReply(reply([]).body, 0)).toBe('')
  const long = reply(['가나', '다', 'a', 'b', 'c'])
  await expect(readForeignReply(long.body, 9)).rejects.toThrow('the reply exceeds 9 bytes')
  expect(long.sent()).toBe(3)
})

it('a reply that breaks off is no shorter reply', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode('{"choices": [')
    throw new Error('aborted')
  }
  await expect(readForeignReply(broken(), 99)).rejects.toThrow('terminated')
})
