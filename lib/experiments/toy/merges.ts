/**
 * Byte pair encoding at toy size (Sennrich et al., arXiv 1508.07909): merges learnt from a text, each a new
 * token behind the 256 bytes. A word keeps the white space before it, and no merge crosses words.
 */
export interface Merges {
  /** The bytes that each new token stands for; token 256 + i is the i-th. */
  bytes: number[][]
  encode(text: string): number[]
}

const words = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? []
const pair = (a: number, b: number): number => a * 65_536 + b

/** Every place of the pair becomes `id`. */
function merged(ids: readonly number[], key: number, id: number): number[] {
  const result: number[] = []
  for (let i = 0; i < ids.length; i++) {
    if (i + 1 < ids.length && pair(ids[i]!, ids[i + 1]!) === key) {
      result.push(id)
      i++
    } else result.push(ids[i]!)
  }
  return result
}

/** The `count` most frequent merges of the text, the smaller pair first among equals. */
export function learnMerges(text: string, count: number): Merges {
  const counted = new Map<string, number>()
  for (const word of words(text)) counted.set(word, (counted.get(word) ?? 0) + 1)
  let parts = [...counted].map(([word, times]) => ({ ids: [...Buffer.from(word)], times }))
  const ranks = new Map<number, number>()
  const bytes: number[][] = []
  const bytesOf = (id: number): number[] => (id < 256 ? [id] : bytes[id - 256]!)
  while (bytes.length < count) {
    const pairs = new Map<number, number>()
    for (const { ids, times } of parts) {
      for (let i = 1; i < ids.length; i++) {
        const key = pair(ids[i - 1]!, ids[i]!)
        pairs.set(key, (pairs.get(key) ?? 0) + times)
      }
    }
    let best = -1
    for (const [key, times] of pairs) {
      const most = pairs.get(best) ?? 1
      if (times > most || (times === most && best >= 0 && key < best)) best = key
    }
    if (best < 0) break
    const id = 256 + bytes.length
    ranks.set(best, id)
    bytes.push([...bytesOf(Math.floor(best / 65_536)), ...bytesOf(best % 65_536)])
    parts = parts.map(({ ids, times }) => ({ ids: merged(ids, best, id), times }))
  }
  const known = new Map<string, number[]>()
  const encodeWord = (word: string): number[] => {
    let ids = [...Buffer.from(word)]
    for (;;) {
      let first = Number.POSITIVE_INFINITY
      for (let i = 1; i < ids.length; i++) {
        first = Math.min(first, ranks.get(pair(ids[i - 1]!, ids[i]!)) ?? first)
      }
      if (first === Number.POSITIVE_INFINITY) return ids
      const key = [...ranks].find(([, id]) => id === first)![0]
      ids = merged(ids, key, first)
    }
  }
  return {
    bytes,
    encode: text =>
      words(text).flatMap(word => {
        const ids = known.get(word) ?? encodeWord(word)
        known.set(word, ids)
        return ids
      }),
  }
}
