/** The types that tie a text to its translation: see text.ts. Types only. */
import type { ko } from './ko.ts'

/** Every English text that has a translation. */
export type English = Extract<keyof (typeof ko)['texts'], string>

/** No name of a place: what a message shows between braces, as `{ kind: program }` or `{…}`. */
type NoName = `${string}${' ' | '…' | ':' | ',' | '"'}${string}`

/** The names of the places `{name}` in a text. */
export type Places<T> = T extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends NoName ? never : Name) | Places<Rest>
  : never
