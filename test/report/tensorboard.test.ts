import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { crc32c, record, TensorBoardWriter } from '../../lib/report/tensorboard.ts'
import { crcByDivision, readEventFile } from './event-file.ts'

test('CRC-32C has the check value of the catalogue of parametrised CRC algorithms', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283)
  expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa)
})

test('a record is framed by its length and two masked checksums', () => {
  // Made by tensorboard 2.21: RecordWriter.write(b"kogrpo")
  const golden = '06000000000000007369d5376b6f6772706faf55d36a'
  expect(record(Buffer.from('kogrpo')).toString('hex')).toBe(golden)
})

test('a step becomes one event with its metrics as scalars; null is left out', () => {
  const directory = join(mkdtempSync(join(tmpdir(), 'kogrpo-tb-')), 'tensorboard')
  const writer = new TensorBoardWriter(directory)
  writer.handle({ type: 'step', stage: 'grpo', step: 300, metrics: { reward: 0.5, kl: null } })
  writer.close()
  const [name] = readdirSync(directory)
  expect(name).toMatch(/^events\.out\.tfevents\.\d+\./)
  const bytes = readFileSync(join(directory, name!))
  const first = Number(bytes.readBigUInt64LE(0))
  expect(bytes.subarray(12, 12 + first).toString('latin1')).toContain('brain.Event:2')
  const event = bytes.subarray(16 + first + 12, bytes.length - 4)
  // wall_time (9 bytes), step = 300 as a varint, summary { value { tag, simple_value = 0.5 } }
  const tag = Buffer.from('grpo/reward').toString('hex')
  expect(event.subarray(9).toString('hex')).toBe(`10ac022a140a120a0b${tag}150000003f`)
})

const VALUE = (step: number): number => Math.fround(Math.sin(step) * 10 ** (step % 9))

/** An event file of 301 steps, as a run of several writers leaves them. */
function longFile(): string {
  const directory = join(mkdtempSync(join(tmpdir(), 'kogrpo-tb-')), 'tensorboard')
  const writer = new TensorBoardWriter(directory)
  for (let step = 0; step <= 300; step++) {
    const metrics = {
      'rewards/정확도/mean': VALUE(step),
      missing: null,
      ...(step % 50 ? {} : { eval_accuracy: 1 }),
    }
    writer.handle({ type: 'step', stage: 'grpo', step, metrics })
  }
  writer.close()
  return directory
}

/** What `longFile` has to say, by tag. */
const EXPECTED = {
  'grpo/rewards/정확도/mean': Array.from({ length: 301 }, (_, step) => [step, VALUE(step)]),
  'grpo/eval_accuracy': [0, 50, 100, 150, 200, 250, 300].map(step => [step, 1]),
}

describe('a reader that shares nothing with the writer', () => {
  test('its checksum agrees with known ones and, on random bytes, with the writer', () => {
    expect(crcByDivision(Buffer.from('123456789'))).toBe(0xe306_9283)
    // RFC 3720, appendix B.4: 32 bytes of ones, and the bytes 0 to 31.
    expect(crcByDivision(new Uint8Array(32).fill(0xff))).toBe(0x62a8_ab43)
    expect(crcByDivision(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd_794e)
    for (let length = 0; length < 70; length++) {
      const bytes = randomBytes(length)
      expect(crc32c(bytes)).toBe(crcByDivision(bytes))
    }
  })

  test('reads every step, tag and value of an event file', () => {
    const directory = longFile()
    const [name, ...others] = readdirSync(directory)
    expect(others).toEqual([])
    const { version, times, scalars } = readEventFile(readFileSync(join(directory, name!)))
    expect(version).toBe('brain.Event:2')
    expect(times).toHaveLength(302)
    for (const time of times) expect(Math.abs(time - Date.now() / 1000)).toBeLessThan(600)
    const read: Record<string, [number, number][]> = {}
    for (const { tag, step, value } of scalars) {
      read[tag] ??= []
      read[tag].push([step, value])
    }
    expect(read).toEqual(EXPECTED)
  })

  test('sees one flipped bit anywhere, and a file that was cut off', () => {
    const directory = longFile()
    const whole = readFileSync(join(directory, readdirSync(directory)[0]!))
    const part = whole.subarray(0, 400)
    const ends = [0]
    for (let at = 0; at < whole.length; ) {
      at += 16 + Number(whole.readBigUInt64LE(at))
      ends.push(at)
    }
    expect(() => readEventFile(whole)).not.toThrow()
    for (let bit = 0; bit < 8 * part.length; bit += 7) {
      const torn = Buffer.from(
        whole.subarray(
          0,
          ends.find(end => end >= part.length),
        ),
      )
      torn[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => readEventFile(torn), `bit ${bit}`).toThrow()
    }
    for (let length = 0; length < part.length; length++) {
      if (ends.includes(length)) continue
      expect(() => readEventFile(whole.subarray(0, length)), `${length} bytes`).toThrow()
    }
  })
})

/** A Python with tensorboard: KOGRPO_PYTHON, else python3; null where there is none. */
function python(): string | null {
  const program = process.env.KOGRPO_PYTHON ?? 'python3'
  return spawnSync(program, ['-c', 'import tensorboard']).status === 0 ? program : null
}

const reader = python()
test.skipIf(!reader)(
  `TensorBoard reads every step${reader ? '' : ' (skipped: no python3 with tensorboard; KOGRPO_PYTHON names one)'}`,
  () => {
    const directory = longFile()
    const script = 'test/golden/check_tensorboard.py'
    const read = JSON.parse(
      execFileSync(reader!, [script, directory], { encoding: 'utf8' }),
    ) as object
    expect(read).toEqual(EXPECTED)
  },
)
