import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { crc32c, record, TensorBoardWriter } from '../../lib/report/tensorboard.ts'

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

/** A Python with tensorboard: KOGRPO_PYTHON, else python3; null where there is none. */
function python(): string | null {
  const program = process.env.KOGRPO_PYTHON ?? 'python3'
  return spawnSync(program, ['-c', 'import tensorboard']).status === 0 ? program : null
}

const reader = python()
test.skipIf(!reader)(
  `TensorBoard reads every step${reader ? '' : ' (skipped: no python3 with tensorboard; KOGRPO_PYTHON names one)'}`,
  () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'kogrpo-tb-')), 'tensorboard')
    const writer = new TensorBoardWriter(directory)
    const value = (step: number): number => Math.fround(Math.sin(step))
    for (let step = 0; step <= 300; step++) {
      const metrics = {
        'rewards/정확도/mean': value(step),
        ...(step % 50 ? {} : { eval_accuracy: 1 }),
      }
      writer.handle({ type: 'step', stage: 'grpo', step, metrics })
    }
    writer.close()
    const script = 'test/golden/check_tensorboard.py'
    const read = JSON.parse(
      execFileSync(reader!, [script, directory], { encoding: 'utf8' }),
    ) as object
    expect(read).toEqual({
      'grpo/rewards/정확도/mean': Array.from({ length: 301 }, (_, step) => [step, value(step)]),
      'grpo/eval_accuracy': [0, 50, 100, 150, 200, 250, 300].map(step => [step, 1]),
    })
  },
)
