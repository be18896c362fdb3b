/**
 * The byte-level alphabet of GPT-2 (Radford et al. 2019, `bytes_to_unicode`): every byte has one
 * printable character, so that a BPE vocabulary over bytes can be stored as text. Printable Latin-1
 * bytes stand for themselves; the other 68 are shifted to U+0100 … U+0143 in order.
 */

const byteOf = new Map<string, number>()
for (let byte = 0, shifted = 0; byte < 256; byte++) {
  const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173)
  byteOf.set(String.fromCodePoint(printable ? byte : 256 + shifted++), byte)
}

const utf8 = new TextEncoder()

/**
 * The bytes a vocabulary entry stands for. An entry with a character outside the alphabet (an added
 * token in plain text) stands for its own UTF-8, as in Hugging Face's ByteLevel decoder.
 */
export function tokenBytes(token: string): Uint8Array {
  const bytes: number[] = []
  for (const char of token) {
    const byte = byteOf.get(char)
    if (byte === undefined) return utf8.encode(token)
    bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}
