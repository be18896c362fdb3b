// The page's words in the reader's language: the English stands where it is shown and is the key of its Korean.

import { KOREAN } from './ko.js'

const dictionary = document.documentElement.lang === 'ko' ? KOREAN : {}

/** `english` in the reader's language, with values for its places `{name}`. */
export function say(english, values = {}) {
  return (dictionary[english] ?? english).replaceAll(/\{(\w+)\}/g, (place, name) =>
    Object.hasOwn(values, name) ? String(values[name]) : place,
  )
}
