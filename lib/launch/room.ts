/**
 * The ranks of one attempt of a run as the rendezvous store sees them: keys and values, who is alive,
 * and who waits where. A rank has ended when its connection closed, is silent when nothing was heard
 * of it for longer than its patience, and has left when it said so. A meeting is over when all ranks
 * have come to it, or as soon as one cannot come any more; the others are then told who.
 */

type Answer = (parts: string[]) => void

interface Rank {
  heard: number
  patience: number
  ended: boolean
  left: boolean
  /** The meeting it waits in, or was in last. */
  label: string | null
  /** A collective failed for it through no fault of its own. */
  failed: boolean
  /** It knows whose fault it was, and will not come any more. */
  gaveUp: boolean
}

interface Waiting {
  rank: number
  answer: Answer
  /** When it is given up. */
  until: number
}

interface Explanation {
  rank: number
  cause: string
  answer: Answer
  until: number
}

const seconds = (ms: number): string => (ms / 1000).toFixed(ms < 10_000 ? 1 : 0)

/** Bytes of keys and values, each counted with its entry. */
const MOST_HELD = 1 << 28
const ENTRY = 100

export class Room {
  readonly size: number
  readonly #ranks = new Map<number, Rank>()
  readonly #values = new Map<string, Buffer>()
  readonly #counts = new Map<string, number>()
  readonly #getters: { key: string; answer: (value: Buffer | string) => void; until: number }[] = []
  #held = 0
  #meeting: Waiting[] = []
  #explanations: Explanation[] = []
  readonly #now: () => number

  constructor(size: number, now: () => number = () => performance.now()) {
    this.size = size
    this.#now = now
  }

  /** A rank says that it lives. */
  alive(rank: number, patience?: number): void {
    const known = this.#ranks.get(rank)
    if (known) known.heard = this.#now()
    else {
      this.#ranks.set(rank, {
        heard: this.#now(),
        patience: patience ?? 20_000,
        ended: false,
        left: false,
        label: null,
        failed: false,
        gaveUp: false,
      })
    }
  }

  /** Who will not come any more, for one that is in the middle of a transfer; '' if nobody. */
  lost(): string {
    return this.#lost()
      .map(rank => this.#describe(rank))
      .join('; ')
  }

  /** A rank ends its part in good order. */
  leave(rank: number): void {
    const known = this.#ranks.get(rank)
    if (known) known.left = true
    this.check()
  }

  /** A rank's connection has closed. */
  closed(rank: number): void {
    const known = this.#ranks.get(rank)
    if (known) known.ended = true
    this.check()
  }

  /** Throws when the room holds too much already. */
  set(key: string, value: Buffer): void {
    const before = this.#values.get(key)
    this.#hold(value.length - (before?.length ?? -key.length - ENTRY))
    this.#values.set(key, value)
    for (const getter of this.#getters.filter(({ key: wanted }) => wanted === key)) {
      this.#getters.splice(this.#getters.indexOf(getter), 1)
      getter.answer(value)
    }
  }

  /** Answers with the value as soon as there is one, with a string after `limit` ms. */
  get(key: string, limit: number, answer: (value: Buffer | string) => void): void {
    const value = this.#values.get(key)
    if (value) answer(value)
    else this.#getters.push({ key, answer, until: this.#now() + limit })
  }

  /** How often ranks have asked for the key before. Throws when the room holds too much already. */
  count(key: string): number {
    const before = this.#counts.get(key)
    if (before === undefined) this.#hold(key.length + ENTRY)
    this.#counts.set(key, (before ?? 0) + 1)
    return before ?? 0
  }

  /** `rank` has come to `label`; answers `ok` or `error` and why. */
  meet(rank: number, label: string, limit: number, answer: Answer): void {
    const known = this.#ranks.get(rank)!
    // One that came twice would stand for one that has not come.
    if (this.#meeting.some(waiting => waiting.rank === rank)) throw new Error('already waiting')
    known.label = label
    this.#meeting.push({ rank, answer, until: this.#now() + limit })
    this.check()
  }

  /** `rank` failed in `label`; answers `ok` and who is at fault. */
  explain(rank: number, label: string, cause: string, answer: Answer): void {
    const known = this.#ranks.get(rank)!
    known.failed = true
    known.label = label
    // A frozen rank shows only after its patience.
    const until = this.#now() + known.patience + 1000
    this.#explanations.push({ rank, cause, answer, until })
    this.check()
  }

  /** Ends what can be ended; call about once a second, and after every change. */
  check(): void {
    this.#endMeeting()
    const lost = this.#lost()
    for (const explanation of this.#explanations.filter(
      ({ until }) => lost.length > 0 || this.#now() >= until,
    )) {
      const { cause, answer } = explanation
      this.#explanations = this.#explanations.filter(e => e !== explanation)
      this.#ranks.get(explanation.rank)!.gaveUp = true
      const who =
        lost.length > 0 ? lost.map(rank => this.#describe(rank)).join('; ') : 'all ranks are alive'
      answer(['ok', `${who} (${firstLine(cause)})`])
    }
    for (const getter of this.#getters.filter(
      ({ until }) => lost.length > 0 || this.#now() >= until,
    )) {
      this.#getters.splice(this.#getters.indexOf(getter), 1)
      const who = lost.map(rank => this.#describe(rank)).join('; ')
      getter.answer(who || `no rank has set "${getter.key}" in time`)
    }
  }

  /** Whether no rank is connected any more. */
  get empty(): boolean {
    return [...this.#ranks.values()].every(({ ended }) => ended)
  }

  /** Counts bytes that are about to be kept. */
  #hold(bytes: number): void {
    if (this.#held + bytes > MOST_HELD) throw new Error('the store is full')
    this.#held += bytes
  }

  #endMeeting(): void {
    if (this.#meeting.length === 0) return
    const labels = new Set(this.#meeting.map(({ rank }) => this.#ranks.get(rank)!.label))
    if (labels.size > 1) {
      const where = this.#meeting.map(({ rank }) => `rank ${rank} at "${this.#label(rank)}"`)
      this.#answer(['error', `the ranks do different things: ${where.join(', ')}`])
      return
    }
    if (this.#meeting.length === this.size) {
      this.#answer(['ok'])
      return
    }
    const present = new Set(this.#meeting.map(({ rank }) => rank))
    let lost = this.#lost().filter(rank => !present.has(rank))
    if (lost.length === 0) lost = [...this.#ranks.keys()].filter(r => this.#ranks.get(r)!.gaveUp)
    if (lost.length > 0) {
      this.#answer(['error', lost.map(rank => this.#describe(rank)).join('; ')])
      return
    }
    const late = this.#meeting.some(({ until }) => this.#now() >= until)
    if (late) {
      const missing = Array.from({ length: this.size }, (_, rank) => rank).filter(
        rank => !present.has(rank),
      )
      this.#answer(['error', missing.map(rank => this.#describe(rank)).join('; ')])
    }
  }

  #answer(parts: string[]): void {
    const waiting = this.#meeting
    this.#meeting = []
    for (const { rank, answer } of waiting) {
      if (parts[0] === 'error') {
        this.#ranks.get(rank)!.failed = true
        this.#ranks.get(rank)!.gaveUp = true
      }
      answer(parts)
    }
  }

  /** Ranks that will not come any more, other than those that a collective failed for. */
  #lost(): number[] {
    return [...this.#ranks]
      .filter(([, { ended, left, failed, heard, patience }]) => {
        return !failed && (ended || left || this.#now() - heard > patience)
      })
      .map(([rank]) => rank)
      .sort((a, b) => a - b)
  }

  #label(rank: number): string {
    return this.#ranks.get(rank)?.label ?? 'its start'
  }

  #describe(rank: number): string {
    const known = this.#ranks.get(rank)
    if (!known) return `rank ${rank} never came: it did not start, or cannot reach the store`
    const last = known.label === null ? 'before any collective' : `last seen in "${known.label}"`
    if (known.gaveUp) return `rank ${rank} has given up (${last}); its log says why`
    if (known.left) return `rank ${rank} has ended its part early (${last}); its log says why`
    if (known.ended) return `rank ${rank} is dead: its connection has closed (${last})`
    const silence = this.#now() - known.heard
    if (silence > known.patience) {
      return `rank ${rank} is silent for ${seconds(silence)} s: frozen, or cut off (${last})`
    }
    return `rank ${rank} is alive but has not come (${last})`
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}
