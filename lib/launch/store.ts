/**
 * The rendezvous store over TCP: one process of a run serves it, all ranks are its clients
 * (native/comm/store.h documents the messages). It keeps a room for every attempt of a run.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { encodeFrame, FrameReader } from './frames.ts'
import { Room } from './room.ts'

/** How often those who wait hear from the store, and the silent are looked for. */
const TICK_MS = 250

/** Requests that may be answered later. */
const WAITS = new Set(['get', 'meet', 'explain'])

interface Client {
  room: Room
  rank: number
  role: 'main' | 'heart'
}

export class StoreServer {
  readonly #server: Server
  readonly #rooms = new Map<string, Room>()
  readonly #sockets = new Set<Socket>()
  /** Sockets that wait for an answer. */
  readonly #waiting = new Set<Socket>()
  readonly #timer: NodeJS.Timeout
  #ticks = 0

  private constructor() {
    this.#server = createServer(socket => this.#serve(socket))
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#timer.unref()
  }

  /** Listens on `port` (0: a free one) of `host` (default: every address). Throws `E_RANKS`. */
  static async listen({ port = 0, host }: { port?: number; host?: string }): Promise<StoreServer> {
    const store = new StoreServer()
    await new Promise<void>((resolve, reject) => {
      store.#server.once('error', cause => {
        reject(
          new KogrpoError(
            'E_RANKS',
            phrase(
              'cannot serve the rendezvous store on port {port}: {message}; choose another port',
              { port, message: cause.message },
            ),
            { cause },
          ),
        )
      })
      store.#server.listen(port, host, resolve)
    })
    return store
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  /** Does not keep the process alive by itself. */
  unref(): void {
    this.#server.unref()
  }

  #tick(): void {
    for (const room of this.#rooms.values()) room.check()
    if (++this.#ticks % Math.round(1000 / TICK_MS) === 0) {
      for (const socket of this.#waiting) socket.write(encodeFrame(['wait']))
    }
  }

  #serve(socket: Socket): void {
    const reader = new FrameReader()
    const client: Partial<Client> = {}
    socket.setNoDelay(true)
    this.#sockets.add(socket)
    socket.on('data', chunk => {
      try {
        for (const message of reader.push(chunk)) this.#handle(socket, client, message)
      } catch {
        socket.destroy()
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#waiting.delete(socket)
      if (client.room && client.rank !== undefined) client.room.closed(client.rank)
    })
  }

  #handle(socket: Socket, client: Partial<Client>, message: Buffer[]): void {
    const [operation, ...rest] = message
    const text = rest.map(part => part.toString())
    const answer = (parts: (string | Buffer)[]): void => {
      this.#waiting.delete(socket)
      socket.write(encodeFrame(parts))
    }
    const name = String(operation)
    if (name === 'hello') {
      const [run, rank, size, patience, role] = text
      const room = this.#rooms.get(run!) ?? new Room(Number(size))
      this.#rooms.set(run!, room)
      if (room.size !== Number(size)) {
        answer(['error', `rank ${rank} counts ${size} ranks, others ${room.size}`])
        return
      }
      Object.assign(client, { room, rank: Number(rank), role })
      room.alive(Number(rank), Number(patience))
      answer(['ok'])
      return
    }
    const { room, rank } = client
    if (!room || rank === undefined) throw new Error('hello first')
    room.alive(rank)
    if (WAITS.has(name)) this.#waiting.add(socket)
    if (name === 'alive') answer(['ok'])
    else if (name === 'get') {
      room.get(text[0]!, Number(text[1]), value =>
        answer(typeof value === 'string' ? ['error', value] : ['ok', value]),
      )
    } else if (name === 'meet') room.meet(rank, text[0]!, Number(text[1]), answer)
    else if (name === 'explain') room.explain(rank, text[0]!, text[1]!, answer)
    else if (name === 'set') {
      room.set(text[0]!, rest[1]!)
      answer(['ok'])
    } else if (name === 'leave') {
      room.leave(rank)
      answer(['ok'])
    } else throw new Error(`unknown request ${name}`)
  }
}
