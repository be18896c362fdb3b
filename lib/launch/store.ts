/**
 * The rendezvous store over TCP: one process of a run serves it, all ranks are its clients
 * (native/comm/store.h documents the messages). It keeps a room for every attempt of a run.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { KogrpoError } from '../errors.ts'
import { phrase } from '../messages/phrase.ts'
import { encodeFrame, FrameReader } from './frames.ts'
import type { Room } from './room.ts'
import { RoomClient } from './room-client.ts'

/** How often those who wait hear from the store, and the silent are looked for. */
const TICK_MS = 250

/** Requests that may be answered later. */
const WAITS = new Set(['get', 'meet', 'explain'])

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
        clearInterval(store.#timer)
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

  #tick(): void {
    for (const room of this.#rooms.values()) room.check()
    if (++this.#ticks % Math.round(1000 / TICK_MS) === 0) {
      for (const socket of this.#waiting) socket.write(encodeFrame(['wait']))
    }
  }

  #serve(socket: Socket): void {
    const reader = new FrameReader()
    const client = new RoomClient(this.#rooms, parts => {
      this.#waiting.delete(socket)
      socket.write(encodeFrame(parts))
    })
    socket.setNoDelay(true)
    this.#sockets.add(socket)
    socket.on('data', chunk => {
      try {
        for (const message of reader.push(chunk)) {
          if (WAITS.has(String(message[0]))) this.#waiting.add(socket)
          client.handle(message)
        }
      } catch {
        socket.destroy()
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#waiting.delete(socket)
      client.closed()
    })
  }
}
