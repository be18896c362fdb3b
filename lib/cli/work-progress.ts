/**
 * One line on stderr about a long job. On a terminal it is redrawn in place, at most ten times a
 * second; elsewhere it is a plain line at least every ten seconds, also while nothing finishes.
 */
import type { Phrase, Say } from '../messages/phrase.ts'
import { duration, isLive, type Output } from '../report/progress.ts'
import { printable, truncate } from '../report/width.ts'
import type { CliContext } from './context.ts'

const REDRAW_MS = 100
/** A little under ten seconds, so that a busy event loop still keeps the promise. */
const HEARTBEAT_MS = 9000

export class WorkProgress {
  readonly #output: Output
  readonly #say: Say
  readonly #words: () => Phrase
  readonly #started = performance.now()
  readonly #timer: NodeJS.Timeout
  #drawn = false

  /** `words` says where the job stands, whenever it is asked. */
  constructor(
    { stderr, say, env }: Pick<CliContext, 'stderr' | 'say' | 'env'>,
    words: () => Phrase,
  ) {
    this.#output = stderr
    this.#say = say
    this.#words = words
    const live = isLive(stderr, env.TERM)
    this.#timer = setInterval(
      () => (live ? this.#draw() : this.note(this.#words())),
      live ? REDRAW_MS : HEARTBEAT_MS,
    )
    this.#timer.unref()
  }

  /** Seconds since the start. */
  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  /** Says where the job stands now; on a terminal, where the line is redrawn. */
  show(): void {
    if (this.#output.isTTY === true) this.#draw()
  }

  /** A line that stays. */
  note(text: Phrase): void {
    this.#erase()
    const words = printable(this.#say(text))
    this.#output.write(`[${duration(this.seconds).padStart(6)}] ${words}\n`)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#erase()
  }

  #draw(): void {
    const columns = Math.max(10, (this.#output.columns || 80) - 1)
    this.#output.write(`\r\u001b[2K${truncate(printable(this.#say(this.#words())), columns)}`)
    this.#drawn = true
  }

  #erase(): void {
    if (this.#drawn) this.#output.write('\r\u001b[2K')
    this.#drawn = false
  }
}
