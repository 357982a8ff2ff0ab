/**
 * Port: a gateway of text messages or, where it reads them aloud, of voice calls. Texts are named templates with
 * variables, because the carriers approve templates and not free text; positional gateways take the variables in the
 * order of `order`.
 */
export interface SmsText {
  /** `call` is spoken: a one-time code for who cannot read a text. */
  readonly template: 'code' | 'notice' | 'call'
  readonly locale: 'zh' | 'en'
  readonly variables: { readonly [name: string]: string }
  readonly order: readonly string[]
  /** The whole text, for gateways that take one. */
  readonly text: string
}

/** What became of a text that was accepted. Of a code only: a notice is not followed. */
export interface Receipt {
  /** The name of the gateway. */
  readonly gateway: string
  /** What `send` gave. */
  readonly reference: string
  readonly delivered: boolean
  /** The carrier's word for it, a code and never free text. */
  readonly reason?: string
}

export interface SmsGateway {
  readonly name: string
  /**
   * Hands one text over to the carrier and gives the carrier's reference.
   * @param phone E.164
   * @param withinMs how long it may take, where it is less than the gateway's own time
   * @throws PeerRefusal where the gateway is well and does not take this text; Error when it did not accept it in time
   */
  send(phone: string, text: SmsText, withinMs?: number): Promise<{ readonly reference: string }>
  /** Is it known to be broken, so that a text would be turned away now? */
  down?(): boolean
  /** Asks the carrier for receipts, where they do not come by themselves. */
  pull?(): Promise<readonly Receipt[]>
  /** Reads a report that the carrier posted to us. @throws PeerFailure where it is none */
  reported?(body: unknown): readonly Receipt[]
  close?(): Promise<void>
}

/** Carriers want a mainland number without its country code. */
export const nationalOf = (phone: string): string => phone.replace(/^\+86/, '')
