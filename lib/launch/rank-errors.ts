/**
 * Standard error of one attempt's ranks on this machine. The first rank's is printed as it comes. What is wrong
 * with a recipe every rank finds: the others' lines wait until all have ended, and those that say
 * what has been said are counted only.
 */
import { type Phrase, phrase } from '../messages/phrase.ts'

/** One line for the terminal, with its rank; null: the launcher's own. */
export type Print = (rank: number | null, line: string | Phrase) => void

/** Lines of a rank that are shown again where its failure is told. */
const KEPT_LINES = 12

interface Said {
  rank: number
  lines: string[]
  /** Printed as they came. */
  shown: boolean
}

export class RankErrors {
  readonly #print: Print
  readonly #total: number
  readonly #ranks: Said[] = []

  /** `total`: ranks of the run, on all machines. */
  constructor(print: Print, total: number) {
    this.#print = print
    this.#total = total
  }

  /** Takes a rank's lines one by one; `shown`, of the lowest rank here: prints them at once. */
  of(rank: number, shown: boolean): (line: string) => void {
    const said: Said = { rank, lines: [], shown }
    this.#ranks.push(said)
    return line => {
      said.lines.push(line)
      if (shown) this.#print(rank, line)
    }
  }

  /** The last lines of a rank. */
  last(rank: number): string[] {
    return this.#ranks.find(said => said.rank === rank)?.lines.slice(-KEPT_LINES) ?? []
  }

  /** Whether a rank has said something that does not end with these lines. */
  othersThan(lines: readonly string[]): boolean {
    return this.#ranks.some(
      said =>
        said.lines.length > 0 && said.lines.slice(-lines.length).join('\n') !== lines.join('\n'),
    )
  }

  /** Prints what waits, in the order of ranks; of those that say the same how many they are. */
  release(): void {
    const different: string[] = []
    const silent: number[] = []
    for (const { rank, lines, shown } of this.#ranks.toSorted((a, b) => a.rank - b.rank)) {
      const text = lines.join('\n')
      if (lines.length === 0) continue
      if (!shown && different.includes(text)) {
        silent.push(rank)
        continue
      }
      different.push(text)
      if (!shown) for (const line of lines) this.#print(rank, line)
    }
    if (silent.length === 0) return
    this.#print(
      null,
      phrase('{count} more of {total} ranks said the same: {ranks}', {
        count: silent.length,
        total: this.#total,
        ranks: silent.join(', '),
      }),
    )
  }
}
