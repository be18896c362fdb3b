/**
 * A reader of TensorBoard's event files that shares nothing with the writer (lib/report/tensorboard.ts): its
 * CRC-32C divides bit by bit, most significant bit first, over reflected bytes, as the definition has it
 * (RFC 3720, appendix B.4: polynomial 0x1EDC6F41), and its protocol buffers are read field by field, unknown
 * ones passed over by their wire type. Any departure from the format throws.
 *
 * TFRecord (tensorflow/core/lib/io/record_writer.h): u64 length, u32 masked crc of length, data, u32 masked
 * crc of data; masked = rotated right by 15 bits plus 0xa282ead8. Event (tensorflow/core/util/event.proto):
 * wall_time 1 double, step 2 int64, file_version 3 string, summary 5; Summary.value 1 repeated; Value: tag 1
 * string, simple_value 2 float.
 */

export interface Scalar {
  tag: string
  step: number
  value: number
}

export interface EventFile {
  version: string
  /** Seconds since 1970, of every event. */
  times: number[]
  scalars: Scalar[]
}

const mirrored = (value: number, bits: number): number => {
  let result = 0
  for (let i = 0; i < bits; i++) if ((value >>> i) & 1) result += 2 ** (bits - 1 - i)
  return result
}

/** The remainder of the message, 32 ones added to its front, by the polynomial. */
export function crcByDivision(bytes: Uint8Array): number {
  let remainder = 0xffffffff
  for (const byte of bytes) {
    const next = mirrored(byte, 8)
    for (let bit = 7; bit >= 0; bit--) {
      const out = remainder >>> 31 !== ((next >>> bit) & 1)
      remainder = (remainder << 1) >>> 0
      if (out) remainder = (remainder ^ 0x1edc6f41) >>> 0
    }
  }
  return mirrored((remainder ^ 0xffffffff) >>> 0, 32)
}

function unmasked(stored: number): number {
  const rotated = (stored - 0xa282ead8) >>> 0
  return ((rotated << 15) | (rotated >>> 17)) >>> 0
}

/** The data of every record, whose checksums hold. */
export function* records(file: Buffer): Generator<Buffer> {
  for (let at = 0; at < file.length; ) {
    if (file.length - at < 16) throw new Error(`a torn record at byte ${at}`)
    const length = Number(file.readBigUInt64LE(at))
    const end = at + 12 + length
    if (end + 4 > file.length) throw new Error(`the record at byte ${at} is longer than the file`)
    const data = file.subarray(at + 12, end)
    if (unmasked(file.readUInt32LE(at + 8)) !== crcByDivision(file.subarray(at, at + 8)))
      throw new Error(`the checksum of the length at byte ${at} does not hold`)
    if (unmasked(file.readUInt32LE(end)) !== crcByDivision(data))
      throw new Error(`the checksum of the record at byte ${at} does not hold`)
    yield data
    at = end + 4
  }
}

interface Field {
  number: number
  wire: number
  /** The payload: a varint's bytes, 8 or 4 bytes, or what a length stands before. */
  bytes: Buffer
}

function varintAt(bytes: Buffer, start: number): { value: bigint; end: number } {
  let value = 0n
  for (let at = start; at < start + 10; at++) {
    const byte = bytes[at]
    if (byte === undefined) break
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - start))
    if (byte < 0x80) return { value, end: at + 1 }
  }
  throw new Error(`no varint at byte ${start}`)
}

function* fields(message: Buffer): Generator<Field> {
  for (let at = 0; at < message.length; ) {
    const key = varintAt(message, at)
    const [number, wire] = [Number(key.value >> 3n), Number(key.value & 7n)]
    let [from, to] = [key.end, key.end]
    if (wire === 0) to = varintAt(message, from).end
    else if (wire === 1) to = from + 8
    else if (wire === 5) to = from + 4
    else if (wire === 2) {
      const length = varintAt(message, from)
      from = length.end
      to = from + Number(length.value)
    } else throw new Error(`wire type ${wire} at byte ${at}`)
    if (to > message.length) throw new Error(`field ${number} runs over the end of its message`)
    yield { number, wire, bytes: message.subarray(from, to) }
    at = to
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** What an event file says. */
export function readEventFile(file: Buffer): EventFile {
  const found: EventFile = { version: '', times: [], scalars: [] }
  for (const event of records(file)) {
    let step = 0
    const summaries: Buffer[] = []
    for (const { number, wire, bytes } of fields(event)) {
      if (number === 1 && wire === 1) found.times.push(bytes.readDoubleLE(0))
      else if (number === 2 && wire === 0) step = Number(varintAt(bytes, 0).value)
      else if (number === 3 && wire === 2) found.version = utf8.decode(bytes)
      else if (number === 5 && wire === 2) summaries.push(bytes)
    }
    for (const value of summaries.flatMap(summary => [...fields(summary)])) {
      if (value.number !== 1 || value.wire !== 2) continue
      let [tag, number] = ['', Number.NaN]
      for (const part of fields(value.bytes)) {
        if (part.number === 1 && part.wire === 2) tag = utf8.decode(part.bytes)
        else if (part.number === 2 && part.wire === 5) number = part.bytes.readFloatLE(0)
      }
      found.scalars.push({ tag, step, value: number })
    }
  }
  return found
}
