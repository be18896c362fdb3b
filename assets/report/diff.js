// Words that were added and removed between two texts: the longest common subsequence of words.

const DIFF_LIMIT = 4_000_000

/** [{text, kind: 'same' | 'added' | 'removed'}]; texts too long to compare are all "added". */
export function diffWords(before, after) {
  const a = before.match(/\s+|[^\s]+/g) ?? []
  const b = after.match(/\s+|[^\s]+/g) ?? []
  if (a.length * b.length > DIFF_LIMIT) return [{ text: after, kind: 'added' }]
  const width = b.length + 1
  const common = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1])
    }
  }
  const parts = []
  const add = (text, kind) => {
    const last = parts.at(-1)
    if (last?.kind === kind) last.text += text
    else parts.push({ text, kind })
  }
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add(a[i], 'same')
      i++
      j++
    } else if (
      j >= b.length ||
      (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1])
    ) {
      add(a[i++], 'removed')
    } else {
      add(b[j++], 'added')
    }
  }
  return parts
}
