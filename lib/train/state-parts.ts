/**
 * Files of an engine's state. A process alone writes one; each of several ranks writes its part beside
 * the others', NAME.1-of-4 … NAME.4-of-4. Whoever reads NAME takes whichever is there
 * (native/engine/state_file.h).
 */
import type { Ranks } from './ranks.ts'

/** The file that this rank writes where the whole is called `name`, a path or a file name. */
export function partOf(name: string, { rank, size }: Pick<Ranks, 'rank' | 'size'>): string {
  return size === 1 ? name : `${name}.${rank + 1}-of-${size}`
}

/** What `file` is a part of, in how many; a file that is no part is the whole. */
function wholeOf(file: string): { name: string; parts: number } {
  const [, name, parts] = /^(.+)\.[1-9]\d*-of-([1-9]\d*)$/.exec(file) ?? []
  return { name: name ?? file, parts: Number(parts ?? 1) }
}

/** Whether a file is the state `name` or one of its parts. */
export const isPartOf = (file: string, name: string): boolean => wholeOf(file).name === name

/** The files that `name` consists of, as far as `files` tell: all parts, or one file. */
export function partsOf(name: string, files: Iterable<string>): string[] {
  const parts = [...files].filter(file => isPartOf(file, name)).map(file => wholeOf(file).parts)
  const size = Math.max(1, ...parts)
  return Array.from({ length: size }, (_, rank) => partOf(name, { rank, size }))
}
