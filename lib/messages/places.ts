/** The places of a text, which its translation has as well. Types only. */

/** No name of a place: what a message shows between braces, as `{ kind: program }` or `{…}`. */
type NoName = `${string}${' ' | '…' | ':' | ',' | '"'}${string}`

/** The names of the places `{name}` in a text. */
export type Places<T> = T extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends NoName ? never : Name) | Places<Rest>
  : never
