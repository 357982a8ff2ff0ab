/**
 * The key daemon: holds the private keys of a node in a process of its own and uses them for the servers that reach its
 * socket (`src/crypto/daemon/` is their side). One daemon holds a socket, by a lock that the kernel gives back however
 * it dies; who may open the socket is said by the mode of its directory.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname } from 'node:path'
import { socketMode } from '#src/crypto/daemon/directory.ts'
import type { KeyRing } from '#src/crypto/keys.ts'
import { AppError, isAppError } from '#src/errors.ts'
import { lock } from '#src/storage/sqlite/lock.ts'
import { converse, type Conversation } from './conversation.ts'

export interface DaemonOptions {
  /** Path of the socket; its directory is made (0700) where it is missing. */
  readonly socket: string
  /** How long a key may take, and a server for a message. */
  readonly deadlineMs: number
  /** Questions of one server under way at once; more are answered `busy`. */
  readonly outstanding?: number
  /** Never quotes a question or a key. */
  readonly onFault?: (error: unknown) => void
}

export interface Daemon {
  /** Takes no more questions, answers those it has, and lets the socket go; the ring stays the caller's. */
  close(): Promise<void>
}

/** Servers at one socket. */
const mostServers = 64

/** @throws AppError `config_invalid` where another daemon has the socket, others get at it, or it is something else */
export async function createDaemon(ring: KeyRing, options: DaemonOptions): Promise<Daemon> {
  const { socket: path, deadlineMs, outstanding = 1024, onFault = () => undefined } = options
  const { release, mode } = claim(path)
  const conversations = new Set<Conversation>()
  const server = createServer((socket) => {
    const conversation = converse(socket, { ring, deadlineMs, outstanding, messageMs: deadlineMs, onFault })
    conversations.add(conversation)
    socket.on('close', () => conversations.delete(conversation))
  })
  server.maxConnections = mostServers
  try {
    await listening(server, path)
    chmodSync(path, mode)
  } catch (error) {
    release()
    throw error
  }
  ring.onChange(() => conversations.forEach((conversation) => conversation.announce()))

  return {
    async close() {
      const closed = new Promise((done) => server.close(done))
      await Promise.all([...conversations].map((conversation) => conversation.finish()))
      await closed
      release()
    },
  }
}

/** The lock first: whatever is at the path after that was left behind by a daemon that died. */
function claim(path: string): { readonly release: () => void; readonly mode: number } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const mode = socketMode(path)
  const release = locked(path)
  const left = lstatSync(path, { throwIfNoEntry: false })
  if (left && !left.isSocket()) {
    release()
    throw new AppError('config_invalid', { detail: `keys.daemon.socket: ${path} is something else; name another path` })
  }
  if (left) rmSync(path)
  return { release, mode }
}

function locked(path: string): () => void {
  try {
    return lock(path)
  } catch (cause) {
    if (!isAppError(cause, 'storage_unavailable')) throw cause
    const detail = `another key daemon holds ${path}: end that one, or name another path (keys.daemon.socket)`
    throw new AppError('config_invalid', { detail, cause })
  }
}

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((done, fail) => {
    server.once('error', fail)
    server.listen(path, done)
  })
