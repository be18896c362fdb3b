/**
 * UTF-8 as an automaton (Unicode, table 3-7), so that the text of token sequences can be reasoned
 * about without decoding every one of them. A state is the bytes of an unfinished character read as
 * one number (0xE4B8 after E4 B8); 0 is between characters. A byte that cannot continue a character
 * ends it (it becomes U+FFFD, as in every lossy decoder) and begins anew.
 */
import type { Interval } from './characters.ts'

/** The state between characters. */
export const START = 0
/** No character was completed. */
export const NONE = -1

function length(state: number): number {
  return state < 0x100 ? 1 : state < 0x10000 ? 2 : 3
}

/** Bytes of a character that begins with `lead`; 0 for a byte that begins none. */
function charLength(lead: number): number {
  if (lead < 0x80) return 1
  if (lead >= 0xc2 && lead < 0xe0) return 2
  if (lead >= 0xe0 && lead < 0xf0) return 3
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0
}

/** The bytes that may follow `state`. */
function following(state: number): Interval {
  switch (state) {
    case 0xe0:
      return [0xa0, 0xbf]
    case 0xed:
      return [0x80, 0x9f]
    case 0xf0:
      return [0x90, 0xbf]
    case 0xf4:
      return [0x80, 0x8f]
    default:
      return [0x80, 0xbf]
  }
}

/** Code point of the complete byte sequence `bytes` (as one number) of `count` bytes. */
function codePoint(bytes: number, count: number): number {
  const lead = Math.floor(bytes / 2 ** (8 * (count - 1)))
  let code = lead & (count === 2 ? 0x1f : count === 3 ? 0x0f : 0x07)
  for (let i = count - 2; i >= 0; i--) {
    code = code * 64 + (Math.floor(bytes / 2 ** (8 * i)) & 0x3f)
  }
  return code
}

/** The state after `byte` in `state`, and the code point that it completed, or `NONE`. */
export function step(state: number, byte: number): [state: number, character: number] {
  if (state !== START) {
    const [first, last] = following(state)
    if (byte >= first && byte <= last) {
      const count = length(state)
      const bytes = state * 256 + byte
      const lead = Math.floor(state / 2 ** (8 * (count - 1)))
      return count + 1 === charLength(lead) ? [START, codePoint(bytes, count + 1)] : [bytes, NONE]
    }
  }
  const begins = charLength(byte)
  if (begins === 1) return [START, byte]
  return [begins === 0 ? START : byte, NONE]
}

/** The code points that the unfinished character of `state` can still become. */
export function reachable(state: number): Interval {
  const bounds = [0, 1].map(end => {
    let bytes = state
    let count = length(state)
    const lead = Math.floor(state / 2 ** (8 * (count - 1)))
    for (; count < charLength(lead); count++) bytes = bytes * 256 + following(bytes)[end as 0 | 1]
    return codePoint(bytes, count)
  })
  return bounds as unknown as Interval
}
