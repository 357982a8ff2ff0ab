/** A card reader behind a TCP port: a serial server in the hall, or the fake reader. */
import { connect } from 'node:net'
import type { Link, LinkEvents } from './link.ts'

const connectMs = 3_000

export function openTcp(place: { readonly host: string; readonly port: number }, events: LinkEvents): Promise<Link> {
  return new Promise((done, fail) => {
    const socket = connect({ ...place, noDelay: true, keepAlive: true })
    let closed = false
    socket.setTimeout(connectMs, () => socket.destroy(new Error('the reader does not take the connection')))
    socket.on('error', fail)
    socket.on('data', (chunk) => void (closed || events.data(chunk)))
    socket.once('connect', () => {
      socket.setTimeout(0)
      socket.on('close', () => void (closed || events.end()))
      done({
        send: (bytes) => void socket.write(bytes),
        close() {
          closed = true
          socket.destroy()
        },
      })
    })
  })
}
