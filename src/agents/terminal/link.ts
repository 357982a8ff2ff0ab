/** The line to a card reader: bytes there and back, over TCP or a serial device; opened by its address. */
import { openSerial } from './serial.ts'
import { openTcp } from './tcp.ts'

export interface LinkEvents {
  /** The chunk is the listener's, to wipe when it has read it. */
  data(chunk: Buffer): void
  /** Once, when the line is gone for whatever reason but `close`. */
  end(): void
}

export interface Link {
  send(bytes: Buffer): void
  close(): void
}

export type OpenLink = (events: LinkEvents) => Promise<Link>

/** @param address `tcp://host:port`, or the path of a serial device */
export function linkTo(address: string): OpenLink {
  if (!address.startsWith('tcp://')) return (events) => openSerial(address, events)
  const { hostname, port } = new URL(address)
  return (events) => openTcp({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }, events)
}
