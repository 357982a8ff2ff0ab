/** What our tests use of the package `smpp`, which has no types. */
declare module 'smpp' {
  import type { EventEmitter } from 'node:events'
  import type { Server } from 'node:net'

  export interface PDU {
    readonly command: string
    readonly sequence_number: number
    readonly system_id: string
    readonly password: string
    readonly registered_delivery: number
    readonly esm_class: number
    readonly data_coding: number
    readonly source_addr: string
    readonly destination_addr: string
    readonly dest_addr_ton: number
    readonly short_message: { readonly message: string | Buffer; readonly udh?: readonly Buffer[] }
    response(fields?: object): PDU
  }

  export interface Session extends EventEmitter {
    readonly socket: { write(bytes: Buffer): void }
    send(pdu: PDU, answered?: (answer: PDU) => void): void
    deliver_sm(fields: object, answered?: (answer: PDU) => void): void
    enquire_link(fields: object, answered?: (answer: PDU) => void): void
    unbind(fields: object, answered?: (answer: PDU) => void): void
    query_sm(fields: object, answered?: (answer: PDU) => void): void
    close(): void
    destroy(): void
  }

  const smpp: { createServer(onSession: (session: Session) => void): Server }
  export default smpp
}
