/**
 * JSON from strangers. `JSON.parse` itself takes any depth and makes own properties of every key
 * (`__proto__` included), but what walks the value afterwards (schemas, templates, `JSON.stringify`)
 * calls itself at every level, and ends the process's stack on a file of brackets. So the depth is
 * bounded where the text comes in.
 */
import { readFile, stat } from 'node:fs/promises'

/** No format that kogrpo reads is deeper than 12. */
export const MOST_DEPTH = 200

/** Parses `text`. Throws `SyntaxError` for what is no JSON, or is nested too deep. */
export function parseForeignJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (depthBeyond(text)) throw new SyntaxError(`nested deeper than ${MOST_DEPTH} levels`)
  return value
}

/** Whether brackets outside of strings are nested too deep; `text` is valid JSON. */
function depthBeyond(text: string): boolean {
  let depth = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (inString) {
      if (c === 0x5c) at++
      else if (c === 0x22) inString = false
    } else if (c === 0x22) inString = true
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > MOST_DEPTH) return true
    } else if (c === 0x5d || c === 0x7d) depth--
  }
  return false
}

/** The text of a file. Throws `Error` for what is no regular file (a pipe would never end) or is larger
 *  than `most` bytes. */
export async function readForeignText(file: string, most: number): Promise<string> {
  const info = await stat(file)
  if (!info.isFile()) throw new Error('it is no regular file')
  if (info.size > most) throw new Error(`it has ${info.size} bytes; at most ${most} are read`)
  return await readFile(file, 'utf8')
}

/** The body of an HTTP reply. Throws `Error` as soon as it has more than `most` bytes, or "terminated" where it breaks off. */
export async function readForeignReply(
  body: AsyncIterable<Uint8Array>,
  most: number,
): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of body) {
      size += chunk.length
      if (size > most) break
      chunks.push(chunk)
    }
  } catch (cause) {
    throw new Error('terminated', { cause })
  }
  if (size > most) throw new Error(`the reply exceeds ${most} bytes`)
  return Buffer.concat(chunks).toString('utf8')
}
