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

/** The files that `name` consists of, as far as `files` tell: one file, or all parts up to the first that is
 *  missing, which verification then names (a name may say any number of parts). */
export function partsOf(name: string, files: Iterable<string>): string[] {
  const there = [...files].filter(file => isPartOf(file, name))
  const size = Math.max(1, ...there.map(file => wholeOf(file).parts))
  const wanted: string[] = []
  for (let rank = 0; rank < size; rank++) {
    const file = partOf(name, { rank, size })
    wanted.push(file)
    if (!there.includes(file)) break
  }
  return wanted
}
