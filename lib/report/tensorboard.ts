/**
 * TensorBoard event files: every numeric metric of a step as a scalar `stage/metric`.
 *
 * A record is  length (u64) · masked CRC-32C of it · data · masked CRC-32C of the data, all little
 * endian (TensorFlow's TFRecord); the data is the protocol buffer Event with the fields wall_time = 1
 * (double), step = 2 (int64), file_version = 3 (string), summary = 5 { value = 1 { tag = 1 (string),
 * simple_value = 2 (float) } }. Weights & Biases reads such directories too (`wandb sync`).
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { KogrpoError } from '../errors.ts'
import { failure, phrase } from '../messages/phrase.ts'
import type { Consumer, RunEvent } from './events.ts'

export class TensorBoardWriter implements Consumer {
  readonly #directory: string
  #descriptor: number | undefined

  /** Writes a new event file into `directory`, which is made at the first step. */
  constructor(directory: string) {
    this.#directory = directory
  }

  handle(event: RunEvent): void {
    if (event.type !== 'step') return
    const values = Object.entries(event.metrics).flatMap(([key, value]) =>
      value === null ? [] : [field(1, scalar(`${event.stage}/${key}`, value))],
    )
    this.#append(
      Buffer.concat([wallTime(), varintField(2, event.step), field(5, Buffer.concat(values))]),
    )
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #append(data: Buffer): void {
    try {
      if (this.#descriptor === undefined) {
        mkdirSync(this.#directory, { recursive: true })
        const name = `events.out.tfevents.${Math.floor(Date.now() / 1000)}.${hostname()}.${process.pid}`
        this.#descriptor = openSync(join(this.#directory, name), 'a')
        const version = field(3, Buffer.from('brain.Event:2'))
        writeSync(this.#descriptor, record(Buffer.concat([wallTime(), version])))
      }
      writeSync(this.#descriptor, record(data))
    } catch (cause) {
      throw new KogrpoError(
        'E_REPORT',
        phrase('cannot write to {directory}: {reason}', {
          directory: this.#directory,
          reason: failure(cause),
        }),
        {
          cause,
        },
      )
    }
  }
}

function scalar(tag: string, value: number): Buffer {
  const number = Buffer.alloc(5)
  number.writeUInt8((2 << 3) | 5)
  number.writeFloatLE(value, 1)
  return Buffer.concat([field(1, Buffer.from(tag)), number])
}

function wallTime(): Buffer {
  const time = Buffer.alloc(9)
  time.writeUInt8((1 << 3) | 1)
  time.writeDoubleLE(Date.now() / 1000, 1)
  return time
}

/** A length-delimited field. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(content.length), content])
}

function varintField(number: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([number << 3]), varint(value)])
}

/** A whole number from 0 to 2^53. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** One framed record. */
export function record(data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeBigUInt64LE(BigInt(data.length))
  head.writeUInt32LE(masked(crc32c(head.subarray(0, 8))), 8)
  const tail = Buffer.alloc(4)
  tail.writeUInt32LE(masked(crc32c(data)))
  return Buffer.concat([head, data, tail])
}

/** CRC-32C (Castagnoli), reflected, polynomial 0x82f63b78. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1
  }
  return remainder
})

export function crc32c(data: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of data) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffff_ffff) >>> 0
}

/** TFRecord stores checksums rotated and shifted, since a record may hold checksums itself. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
