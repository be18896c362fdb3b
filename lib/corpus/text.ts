/** What makes two texts the same problem, and cleaning that changes no meaning. */

/**
 * A text reduced to what says whether two are the same: letters, digits and operators, in NFKC and lower case.
 * Spaces, punctuation and full-width forms do not make a difference; numbers do, their decimal points included.
 */
export function fingerprint(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/(?<!\d)\.|\.(?!\d)|[^\p{L}\p{N}+\-×*÷/=<>^%.]+/gu, '')
}

/** NFC, line feeds only, no control or zero-width characters, no spaces at ends of lines. */
export function clean(text: string): string {
  return (
    text
      .normalize('NFC')
      .replaceAll(/\r\n?/g, '\n')
      .replaceAll(/[^\P{Cc}\n\t]|[\u200b\u2060\ufeff]/gu, '')
      // Looked for where such a run begins: linear, however long one is that ends no line.
      .replaceAll(/(?<![ \t])[ \t]+$/gm, '')
      .replaceAll(/\n{4,}/g, '\n\n\n')
      .trim()
  )
}

/** Every string inside a value, cleaned; the shape stays. */
export function cleanValue(value: unknown): unknown {
  if (typeof value === 'string') return clean(value)
  if (Array.isArray(value)) return value.map(cleanValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cleanValue(item)]))
}

/** Share of the characters that stand in lines which occurred before: 0 for text without repetition. */
export function repeatedShare(text: string): number {
  const seen = new Set<string>()
  let [all, repeated] = [0, 0]
  for (const line of text.split('\n')) {
    const bare = line.trim()
    all += bare.length
    if (seen.has(bare)) repeated += bare.length
    seen.add(bare)
  }
  return all === 0 ? 0 : repeated / all
}
