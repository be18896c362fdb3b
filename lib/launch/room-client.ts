/**
 * One connection to the rendezvous store: its requests (native/comm/store.h), every part of them
 * checked, become calls of its room. Whoever reaches the port may ask anything; what no rank of
 * kogrpo would ask is an error, and ends the connection.
 */
import { Room } from './room.ts'

/** Sends an answer. */
type Reply = (parts: (string | Buffer)[]) => void

const MOST_RANKS = 65_536
/** Attempts of runs that one store serves at a time. */
const MOST_ROOMS = 256
/** Longest wait, ms: thirty years. */
const MOST_MS = 1e12

/** How many parts follow the name of a request. */
const PARTS: Readonly<Record<string, number>> = {
  ...{ hello: 5, alive: 0, get: 2, count: 1, meet: 2, explain: 2, set: 2, leave: 0 },
}

function whole(text: string, least: number, most: number): number {
  const value = /^\d{1,13}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) throw new Error('not a number of a request')
  return value
}

export class RoomClient {
  readonly #rooms: Map<string, Room>
  readonly #reply: Reply
  #place: { room: Room; rank: number } | null = null

  /** `rooms`: those of the store, by run. */
  constructor(rooms: Map<string, Room>, reply: Reply) {
    this.#rooms = rooms
    this.#reply = reply
  }

  /** Answers one request, perhaps later. Throws for what is none. */
  handle(message: Buffer[]): void {
    const [name = '', ...text] = message.map(part => part.toString())
    if (!Object.hasOwn(PARTS, name) || text.length !== PARTS[name]) {
      throw new Error('unknown request')
    }
    if (name === 'hello') this.#hello(text as [string, string, string, string, string])
    else this.#request(name, text as [string, string], message[2])
  }

  /** The connection has ended. */
  closed(): void {
    this.#place?.room.closed(this.#place.rank)
  }

  #hello([run, rankText, sizeText, patience, role]: [
    string,
    string,
    string,
    string,
    string,
  ]): void {
    if (this.#place !== null || (role !== 'main' && role !== 'heart')) throw new Error('hello once')
    const size = whole(sizeText, 1, MOST_RANKS)
    const rank = whole(rankText, 0, size - 1)
    let room = this.#rooms.get(run)
    if (room === undefined) {
      for (const [name, other] of this.#rooms) if (other.empty) this.#rooms.delete(name)
      if (this.#rooms.size >= MOST_ROOMS) throw new Error('too many runs')
      room = new Room(size)
      this.#rooms.set(run, room)
    }
    if (room.size !== size) {
      this.#reply(['error', `rank ${rank} counts ${size} ranks, others ${room.size}`])
      return
    }
    this.#place = { room, rank }
    room.alive(rank, whole(patience, 1, MOST_MS))
    this.#reply(['ok'])
  }

  #request(name: string, text: [string, string], value: Buffer | undefined): void {
    if (this.#place === null) throw new Error('hello first')
    const { room, rank } = this.#place
    room.alive(rank)
    if (name === 'get') {
      room.get(text[0], whole(text[1], 0, MOST_MS), found =>
        this.#reply(typeof found === 'string' ? ['error', found] : ['ok', found]),
      )
    } else if (name === 'count') this.#reply(['ok', String(room.count(text[0]))])
    else if (name === 'meet') room.meet(rank, text[0], whole(text[1], 0, MOST_MS), this.#reply)
    else if (name === 'explain') room.explain(rank, text[0], text[1], this.#reply)
    else {
      if (name === 'set') room.set(text[0], value!)
      else if (name === 'leave') room.leave(rank)
      this.#reply(name === 'alive' ? ['ok', room.lost()] : ['ok'])
    }
  }
}
