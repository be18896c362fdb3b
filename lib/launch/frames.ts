/**
 * Messages of the rendezvous store: lists of byte strings, u32 count, then for each u32 length and
 * bytes, little endian. native/comm/store.h documents the requests. Whoever reaches the port may
 * write, so a message is bounded in parts and bytes before it is kept.
 */

/** The longest request has 6 parts. */
const MOST_PARTS = 16
/** Bytes of all parts of a message. */
const MOST_BYTES = 1 << 26

/** Encodes one message. */
export function encodeFrame(parts: readonly (string | Buffer)[]): Buffer {
  const buffers = parts.map(part => (typeof part === 'string' ? Buffer.from(part) : part))
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return bytes
  }
  return Buffer.concat([number(parts.length), ...buffers.flatMap(b => [number(b.length), b])])
}

/** Collects a stream's bytes and hands over whole messages. */
export class FrameReader {
  #chunks: Buffer[] = []
  #length = 0
  /** Bytes without which nothing new can be read: chunks are joined only then. */
  #needed = 4

  /** The messages that `chunk` completes. Throws when the stream is none of kogrpo's. */
  push(chunk: Buffer): Buffer[][] {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const messages: Buffer[][] = []
    while (this.#length >= this.#needed) {
      const message = this.#take(this.#joined())
      if (message !== null) messages.push(message)
    }
    return messages
  }

  #joined(): Buffer {
    const [first = Buffer.alloc(0)] = this.#chunks
    const all = this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : first
    this.#chunks = [all]
    return all
  }

  /** The message at the beginning of `bytes`, or null, and then `#needed` says what is missing. */
  #take(bytes: Buffer): Buffer[] | null {
    let at = 0
    const number = (most: number): number | null => {
      if (bytes.length < at + 4) {
        this.#needed = at + 4
        return null
      }
      const value = bytes.readUInt32LE(at)
      if (value > most) throw new Error('not a message of kogrpo')
      at += 4
      return value
    }
    const count = number(MOST_PARTS)
    if (count === null) return null
    const ranges: [number, number][] = []
    let left = MOST_BYTES
    for (let i = 0; i < count; i++) {
      const length = number(left)
      if (length === null) return null
      left -= length
      if (bytes.length < at + length) {
        this.#needed = at + length
        return null
      }
      ranges.push([at, at + length])
      at += length
    }
    this.#chunks = [bytes.subarray(at)]
    this.#length = bytes.length - at
    this.#needed = 4
    return ranges.map(([begin, end]) => Buffer.from(bytes.subarray(begin, end)))
  }
}
