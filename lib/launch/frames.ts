/**
 * Messages of the rendezvous store: lists of byte strings, u32 count, then for each u32 length and
 * bytes, little endian. native/comm/store.h documents the requests.
 */

/** Longer messages are none of kogrpo. */
const LIMIT = 1 << 26

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
  #bytes: Buffer = Buffer.alloc(0)

  /** The messages that `chunk` completes. Throws when the stream is none of kogrpo's. */
  push(chunk: Buffer): Buffer[][] {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    const messages: Buffer[][] = []
    for (let message = this.#take(); message !== null; message = this.#take()) {
      messages.push(message)
    }
    return messages
  }

  #take(): Buffer[] | null {
    let at = 0
    const number = (): number | null => {
      if (this.#bytes.length < at + 4) return null
      const value = this.#bytes.readUInt32LE(at)
      if (value > LIMIT) throw new Error('not a message of kogrpo')
      at += 4
      return value
    }
    const count = number()
    if (count === null) return null
    const parts: Buffer[] = []
    for (let i = 0; i < count; i++) {
      const length = number()
      if (length === null || this.#bytes.length < at + length) return null
      parts.push(Buffer.from(this.#bytes.subarray(at, at + length)))
      at += length
    }
    this.#bytes = this.#bytes.subarray(at)
    return parts
  }
}
