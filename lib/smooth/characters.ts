/**
 * The characters that smoothing suppresses: the eleven Unicode blocks of Smoothie-Qwen (Ji et al.
 * 2025, arXiv 2507.05686: Han ideographs with their radicals and strokes, CJK punctuation, enclosed
 * letters, squared words), and what of them Korean text needs.
 */

/** First and last code point. */
export type Interval = readonly [first: number, last: number]

/** The published blocks; the ideographic space is no character to suppress. */
export const CHINESE_BLOCKS: readonly Interval[] = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0xf900, 0xfaff],
  [0x2e80, 0x2eff],
  [0x2f00, 0x2fdf],
  [0x2ff0, 0x2fff],
  [0x3001, 0x303f],
  [0x31c0, 0x31ef],
  [0x3200, 0x32ff],
  [0x3300, 0x33ff],
]

/** Characters of those blocks that stand in ordinary Korean text. */
export const KOREAN_SYMBOLS: readonly Interval[] = [
  [0x3003, 0x3003], // 〃
  [0x3008, 0x3011], // 〈〉《》「」『』【】
  [0x3013, 0x301f], // 〓 〔〕〖〗〘〙〚〛 〜 〝〞〟
  [0x302e, 0x302f], // Hangul tone marks
  [0x3200, 0x321e], // ㈀ … ㈜ ㈝ ㈞
  [0x3248, 0x327f], // numbers in circles, ㉠ … ㉿
  [0x32b1, 0x32bf], // numbers in circles
  [0x32cc, 0x32cf], // units
  [0x3371, 0x337a], // ㍱ …: units
  [0x3380, 0x33df], // ㎀ … ㎏ ㎡ ㏄ ㏊: units
  [0x33ff, 0x33ff], // ㏿
]

/** A set of code points as sorted, disjoint intervals. */
export class CharacterSet {
  readonly #intervals: readonly Interval[]

  constructor(intervals: readonly Interval[]) {
    const merged: [number, number][] = []
    for (const [first, last] of [...intervals].sort((a, b) => a[0] - b[0])) {
      const previous = merged.at(-1)
      if (previous !== undefined && first <= previous[1] + 1) {
        previous[1] = Math.max(previous[1], last)
      } else merged.push([first, last])
    }
    this.#intervals = merged
  }

  /** Whether some character of [first, last] is in the set. */
  overlaps(first: number, last: number): boolean {
    let low = 0
    let high = this.#intervals.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#intervals[middle]![1] < first) low = middle + 1
      else high = middle
    }
    const found = this.#intervals[low]
    return found !== undefined && found[0] <= last
  }

  has(character: number): boolean {
    return this.overlaps(character, character)
  }

  /** The set without the given intervals. */
  without(intervals: readonly Interval[]): CharacterSet {
    let rest = [...this.#intervals]
    for (const [first, last] of intervals) {
      rest = rest.flatMap(([a, b]) =>
        last < a || b < first
          ? [[a, b] as const]
          : ([
              [a, first - 1],
              [last + 1, b],
            ].filter(([x, y]) => x! <= y!) as unknown as Interval[]),
      )
    }
    return new CharacterSet(rest)
  }
}
