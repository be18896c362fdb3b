/**
 * The nearest spelling of a mistyped word, for "did you mean" in error messages.
 * Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours
 * cost 1 (R. Lowrance and R. A. Wagner 1975, restricted form). `_`, `-` and case cost nothing.
 */
import { type Phrase, phrase } from '../messages/phrase.ts'

function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, beforeLast[j - 2]! + 1)
      }
      row.push(best)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}

const plain = (word: string): string => word.toLowerCase().replaceAll(/[-_]/g, '')

/**
 * The candidate nearest to `word`, or undefined when none is near: at most a third of the letters
 * (and at least one) may differ, or one is the beginning of the other. Ties go to the first.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(word)
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const known = plain(candidate)
    const prefix =
      Math.min(wanted.length, known.length) >= 3 &&
      (known.startsWith(wanted) || wanted.startsWith(known))
    const limit = Math.max(1, Math.floor(Math.max(wanted.length, known.length) / 3))
    const d = distance(wanted, known)
    if ((d <= limit || prefix) && d < bestDistance) {
      best = candidate
      bestDistance = d
    }
  }
  return best
}

/** `; did you mean "x"?`, or the empty string when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>, prefix = ''): Phrase | '' {
  const found = nearest(word, candidates)
  return found === undefined ? '' : phrase('; did you mean "{word}"?', { word: prefix + found })
}
