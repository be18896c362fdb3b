// Writes the seeds of the native fuzzers' corpora: inputs that are right, for the fuzzers to bend.
// The layouts are those that the targets (test/fuzz/native) read. Run again after a change of one:
//   node test/fuzz/make-seeds.mjs
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const corpus = fileURLToPath(new URL('corpus/', import.meta.url))

function seed(target, name, ...parts) {
  mkdirSync(`${corpus}${target}`, { recursive: true })
  writeFileSync(`${corpus}${target}/seed-${name}`, Buffer.concat(parts))
}

const bytes = (...values) => Buffer.from(values)
const u32 = value => Buffer.from(Uint32Array.of(value).buffer)
const i32s = (...values) => Buffer.from(Int32Array.from(values).buffer)
const i64s = (...values) => Buffer.from(BigInt64Array.from(values.map(BigInt)).buffer)
const f32s = (...values) => Buffer.from(Float32Array.from(values).buffer)
const ramp = n => Buffer.from(Array.from({ length: n }, (_, i) => (i * 37) & 0xff))

// dtype, offset, n; one source or two: dtype, begin, rows, cols, row scales; written dtype; the file
const source = (dtype, begin, rows, cols, ...scales) =>
  Buffer.concat([bytes(dtype, begin, rows, cols, scales.length), f32s(...scales), bytes(0)])
seed('tensor_file', 'f32', bytes(0, 4, 5, 0), source(0, 0, 2, 3), bytes(0), ramp(64))
seed('tensor_file', 'bf16', bytes(1, 3, 9, 0), source(1, 1, 3, 4, 1, 0.5, 2), bytes(1), ramp(64))
seed(
  'tensor_file',
  'f16',
  bytes(2, 0, 30, 1),
  source(2, 0, 8, 4),
  source(0, 8, 1, 8),
  bytes(0),
  ramp(80),
)
seed(
  'tensor_file',
  'added',
  bytes(0, 0, 1, 0),
  bytes(0, 0, 3, 2, 0, 2, 8, 0, 16, 1),
  bytes(0),
  ramp(96),
)
seed('tensor_file', 'short', bytes(0, 60, 60, 0), source(0, 60, 8, 8), bytes(0), ramp(16))
seed(
  'tensor_file',
  'huge',
  bytes(0, 255),
  i64s(2n ** 62n),
  bytes(255),
  i64s(2n ** 61n),
  bytes(0),
  bytes(0, 255),
  i64s(-8),
  bytes(255),
  i64s(2n ** 40n),
  bytes(255),
  i64s(2n ** 40n),
  bytes(0, 0),
  ramp(16),
)

// The state of the model of tiny_engine.h.
const PARAMETERS = 2784
const header = (step, moments, slots) =>
  Buffer.concat([Buffer.from('kogrpos3'), i64s(PARAMETERS, PARAMETERS, step, moments, slots)])
const floats = Buffer.alloc(4 * PARAMETERS)
const slot = name => Buffer.concat([Buffer.from(name.padEnd(64, '\0')), floats])
seed('state', 'fresh', header(0, 0, 0), floats)
seed('state', 'moments', header(3, 1, 0), floats, floats, floats)
seed('state', 'slots', header(0, 0, 2), floats, slot('ema'), slot('ref'))
seed('state', 'whole', header(9, 1, 1), floats, floats, floats, slot('ref'))
seed('state', 'torn', header(9, 1, 1), floats)

const message = (...parts) =>
  Buffer.concat([
    u32(parts.length),
    ...parts.flatMap(part => [u32(part.length), Buffer.from(part)]),
  ])
seed('frames', 'ok', message('ok'))
seed('frames', 'waits', message('wait'), message('wait'), message('ok', 'value'))
seed('frames', 'error', message('error', 'rank 1 is dead: its connection has closed'))
seed('frames', 'empty', message(), message('', ''))
seed('frames', 'liar', u32(2), u32(1 << 26), u32(2 ** 32 - 1))

const tokens = (...lengths) => Buffer.concat(lengths.map(n => bytes(n - 1, ...ramp(n))))
seed('batch', 'plain', bytes(0, 2), tokens(4, 1, 7))
seed('batch', 'prefixes', bytes(2, 1, 3, 1, 2, 3, 4, 0, 5, 1, 2, 3, 4, 9, 3))
seed('batch', 'kept', bytes(128, 1), tokens(5, 6), bytes(1, 0, 0, 0, 0))
seed('batch', 'masked', bytes(4 | 8 | 16, 0), tokens(6), bytes(1, 1, 0, 1, 0, 1), f32s(0.7))
seed('batch', 'raw', bytes(1, 3), i32s(1, 2, 3), bytes(2), i32s(0, 3), bytes(1), i32s(0))
seed('batch', 'coefficients', bytes(64, 0), tokens(3), bytes(3), f32s(0, 0.5, -1))

// kind, length, first token, tokens or none, max_new_tokens, seed, stop; steps, whether one is cancelled
const request = (kind, length, first, most, extra = Buffer.alloc(0)) =>
  Buffer.concat([bytes(kind, length, first), bytes(most), extra, bytes(5, 20)])
seed(
  'requests',
  'group',
  bytes(3, 40, 4),
  ...[0, 1, 2, 3].map(() => Buffer.concat([request(0, 9, 1, 12), bytes(1, 1)])),
)
seed(
  'requests',
  'long',
  bytes(1, 60, 4),
  request(1, 150, 2, 20),
  bytes(2, 1),
  request(0, 5, 1, 8),
  bytes(3, 0, 0),
)
seed(
  'requests',
  'logprobs',
  bytes(4, 9, 2),
  request(64 | 128, 7, 3, 4, bytes()),
  bytes(2, 0),
  bytes(0, 1),
)
seed(
  'requests',
  'sampling',
  bytes(2, 30, 3),
  request(4 | 8 | 16 | 32, 6, 2, 9, Buffer.concat([f32s(0.8), i32s(5), f32s(0.9, 0.05)])),
  bytes(0, 1),
)

seed('config', 'tiny', bytes(13, 16, 16, 1, 2, 1, 16, 0))
seed('config', 'tied', bytes(61, 48, 80, 2, 6, 2, 32, 1))
seed(
  'config',
  'huge',
  ...[2n ** 31n - 1n, 2n ** 31n - 1n, 2n ** 62n, 4096n, 1n, 1n, 2n ** 60n].map(n =>
    Buffer.concat([bytes(255), i64s(n)]),
  ),
  bytes(0),
)

// the first part's length, two parts: magic, bytes of the whole, step, ranges, their places, their bytes
const part = (whole, step, ranges, content) =>
  Buffer.concat([Buffer.from('kogrpop1'), i64s(whole, step, ranges.length / 2, ...ranges), content])
const parts = (first, second) => [Buffer.from(Uint16Array.of(first.length).buffer), first, second]
seed(
  'state_parts',
  'two',
  ...parts(part(48, 3, [0, 8, 24, 16], ramp(24)), part(48, 3, [8, 16, 40, 8], ramp(24))),
)
seed('state_parts', 'one-empty', ...parts(part(16, 1, [0, 16], ramp(16)), part(16, 1, [], ramp(0))))
seed('state_parts', 'gap', ...parts(part(32, 1, [0, 8], ramp(8)), part(32, 1, [16, 16], ramp(16))))
seed(
  'state_parts',
  'huge',
  ...parts(part(2n ** 62n, 1, [0, 2n ** 62n], ramp(8)), part(2n ** 62n, 1, [], ramp(0))),
)
