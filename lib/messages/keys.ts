/** The English texts that there are. Types only. */
import type { ko } from './ko.ts'

/** Every English text that has a translation. */
export type English = Extract<keyof (typeof ko)['texts'], string>
