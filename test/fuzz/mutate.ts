/**
 * Seeded mutation of inputs: bytes, text and JSON values. A case is a function of (seed, index) alone,
 * so that one that breaks something is found again by its numbers.
 */
import { randomStream } from '../../lib/data/random.ts'

export class Random {
  readonly #next: () => number
  constructor(key: string) {
    this.#next = randomStream(key)
  }
  /** A whole number in [0, bound). */
  below(bound: number): number {
    return this.#next() % bound
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T
  }
  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0
  }
}

const EDGES = [0, 1, 0x20, 0x22, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xed, 0xfe, 0xff]

/** Some of: flipped bits, bytes from the edges, ranges cut, doubled, moved, counts made huge. */
export function mutateBytes(random: Random, seed: Uint8Array, most = 1 << 16): Buffer {
  let bytes = Buffer.from(seed)
  for (let n = 1 + random.below(6); n > 0; n--) {
    const at = random.below(bytes.length + 1)
    const length = 1 + random.below(random.chance(4) ? 64 : 8)
    switch (random.below(8)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << random.below(8)
        break
      case 1:
        if (at < bytes.length) bytes[at] = random.pick(EDGES)
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        break
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
        break
      case 4: {
        const from = random.below(bytes.length + 1)
        const part = bytes.subarray(from, from + length)
        bytes = Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
        break
      }
      case 5:
        if (at + 4 <= bytes.length)
          bytes.writeUInt32LE(random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]), at)
        break
      case 6:
        if (random.chance(8)) bytes = bytes.subarray(0, at)
        break
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([random.below(256), random.pick(EDGES)]),
          bytes.subarray(at),
        ])
    }
  }
  return bytes.subarray(0, most)
}

/** Words that parsers treat in ways of their own. */
export const WORDS: readonly string[] = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'NaN', '-0'],
  ...[
    '1e999',
    '-1',
    '9007199254740993',
    '../',
    '/etc/passwd',
    'file:///',
    '\u0000',
    '\ud800',
    '\ufeff',
  ],
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '\\',
    '\n',
    '\r\n',
    ',',
    ':',
    '{{',
    '}}',
    '{%',
    '%}',
    '</script>',
  ],
  ...[
    '<!--',
    '<|im_end|>',
    '<think>',
    '</think>',
    '```',
    '\\boxed{',
    '정답:',
    '％',
    '𝟙',
    '가',
    '가',
  ],
]

/** Text with pieces cut, doubled, moved, and `words` put in. */
export function mutateText(
  random: Random,
  seed: string,
  words: readonly string[] = WORDS,
  most = 20_000,
): string {
  let text = seed
  for (let n = 1 + random.below(6); n > 0; n--) {
    const at = random.below(text.length + 1)
    const length = 1 + random.below(random.chance(4) ? 60 : 6)
    switch (random.below(6)) {
      case 0:
        text = text.slice(0, at) + text.slice(at + length)
        break
      case 1:
        text = text.slice(0, at + length) + text.slice(at)
        break
      case 2: {
        const from = random.below(text.length + 1)
        text = text.slice(0, at) + text.slice(from, from + length) + text.slice(at)
        break
      }
      case 3:
        text = text.slice(0, at) + String.fromCharCode(random.below(0x1_0000)) + text.slice(at + 1)
        break
      case 4:
        if (random.chance(20)) {
          const word = random.pick(words)
          text = text.slice(0, at) + word.repeat(1 + random.below(2000)) + text.slice(at)
        }
        break
      default:
        text = text.slice(0, at) + random.pick(words) + text.slice(at)
    }
  }
  return text.slice(0, most)
}

const SCALARS: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 0.5, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, 1e21, '', 'x'],
  ...['__proto__', '0', '\u0000', '\ud800', 'NaN', [], {}, [[]], [null], { a: 1 }],
]

/** Stands for brackets in each other, which JSON.stringify could not write. */
const DEEP = '\u0001deep '

/** JSON of a value with one of its places changed, or a few. */
export function mutateJsonText(
  random: Random,
  seed: unknown,
  words: readonly string[] = WORDS,
): string {
  const text = JSON.stringify(mutateJson(random, seed, words)) ?? 'null'
  return text.replace(/"\\u0001deep (\d+)[^"]*"/g, (_, depth: string) => {
    const n = Math.min(Number(depth), 20_000)
    return random.chance(2)
      ? '['.repeat(n) + ']'.repeat(n)
      : `${'{"a":'.repeat(n)}1${'}'.repeat(n)}`
  })
}

/** A value with one of its places changed, or a few. */
function mutateJson(random: Random, seed: unknown, words: readonly string[] = WORDS): unknown {
  let value = structuredClone(seed)
  for (let n = 1 + random.below(3); n > 0; n--) value = changed(random, value, words)
  return value
}

function changed(random: Random, value: unknown, words: readonly string[]): unknown {
  if (Array.isArray(value) && value.length > 0 && !random.chance(6)) {
    const at = random.below(value.length)
    if (random.chance(8)) value.splice(at, 1)
    else if (random.chance(9)) value.splice(at, 0, structuredClone(value[at]))
    else value[at] = changed(random, value[at], words)
    return value
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !random.chance(8)) {
    const object = value as Record<string, unknown>
    const keys = Object.keys(object)
    if (keys.length > 0 && !random.chance(8)) {
      const key = random.pick(keys)
      if (random.chance(8)) delete object[key]
      else if (random.chance(12)) define(object, random.pick(words), object[key])
      else define(object, key, changed(random, object[key], words))
    } else define(object, random.pick(words), structuredClone(random.pick(SCALARS)))
    return object
  }
  if (typeof value === 'string' && !random.chance(4)) return mutateText(random, value, words, 4000)
  if (typeof value === 'number' && !random.chance(3)) {
    return random.pick([value + 1, value - 1, -value, value * 2 ** 20, value / 3, 2 ** 31])
  }
  if (random.chance(20)) return DEEP + random.below(20_000)
  return structuredClone(random.pick(SCALARS))
}

/** An own key, whatever it is called. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  })
}
