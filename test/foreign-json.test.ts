/** Text from strangers is read up to a bound. */
import { expect, it } from 'vitest'
import { readForeignReply } from '../lib/foreign-json.ts'

/** A reply in pieces, of which `sent` counts those that were asked for. */
function reply(pieces: readonly string[]): { response: Response; sent: () => number } {
  let sent = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sent === pieces.length) controller.close()
        else controller.enqueue(new TextEncoder().encode(pieces[sent++]))
      },
    },
    { highWaterMark: 0 },
  )
  return { response: new Response(body), sent: () => sent }
}

it('an HTTP reply is text of at most so many bytes, and no more of it is read', async () => {
  expect(await readForeignReply(reply(['가나', '다']).response, 9)).toBe('가나다')
  expect(await readForeignReply(new Response(null), 0)).toBe('')
  const long = reply(['가나', '다', 'a', 'b', 'c'])
  await expect(readForeignReply(long.response, 9)).rejects.toThrow('the reply exceeds 9 bytes')
  expect(long.sent()).toBe(3)
})
