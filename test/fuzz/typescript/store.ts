/** The rendezvous store: bytes of its clients, cut anywhere, and what they ask of a room. */
import assert from 'node:assert/strict'
import { encodeFrame, FrameReader } from '../../../lib/launch/frames.ts'
import { RoomClient } from '../../../lib/launch/room-client.ts'
import type { FuzzTarget } from '../harness.ts'
import { mutateBytes, mutateText, type Random, WORDS } from '../mutate.ts'

const words = [
  ...WORDS,
  '0',
  '1',
  '2',
  '4',
  '1000000000',
  '1.5',
  '-1',
  'run',
  'key',
  'main',
  'heart',
]
const MESSAGES = [
  ['hello', 'run', '0', '2', '20000', 'main'],
  ['hello', 'run', '1', '2', '20000', 'heart'],
  ['alive'],
  ['set', 'key', 'value'],
  ['get', 'key', '1000'],
  ['meet', 'a label', '1000'],
  ['explain', 'a label', 'a cause'],
  ['leave'],
]

export const target: FuzzTarget = {
  name: 'store',
  make(random: Random) {
    const messages = Array.from({ length: 1 + random.below(8) }, (_, i) => {
      const parts = [...(i === 0 && !random.chance(6) ? MESSAGES[0]! : random.pick(MESSAGES))]
      if (random.chance(3)) {
        const at = random.below(parts.length)
        parts[at] = mutateText(random, parts[at]!, words, 200)
      }
      if (random.chance(12)) parts.splice(random.below(parts.length), 1)
      return encodeFrame(parts)
    })
    const bytes = Buffer.concat(messages)
    return {
      bytes: random.chance(2) ? mutateBytes(random, bytes) : bytes,
      size: 1 + random.below(80),
    }
  },
  run({ bytes, size }: { bytes: Buffer; size: number }) {
    const rooms = new Map()
    const clients = [0, 1].map(() => new RoomClient(rooms, () => {}))
    const reader = new FrameReader()
    // What is no message of kogrpo is an Error, at which the store ends the connection.
    try {
      for (let at = 0, n = 0; at < bytes.length; at += size, n++)
        for (const message of reader.push(bytes.subarray(at, at + size))) {
          assert.ok(message.length <= 16)
          clients[n % 2]!.handle(message)
        }
    } catch (error) {
      assert.equal((error as Error).name, 'Error', (error as Error).stack)
    } finally {
      for (const client of clients) client.closed()
      for (const room of rooms.values()) room.check()
    }
  },
}
