/**
 * Port: an SMS gateway. Texts are named templates with variables, because the carriers approve templates and not free
 * text; positional gateways take the variables in the order of `order`.
 */
export interface SmsText {
  readonly template: 'code' | 'notice'
  readonly locale: 'zh' | 'en'
  readonly variables: { readonly [name: string]: string }
  readonly order: readonly string[]
  /** The whole text, for gateways that take one. */
  readonly text: string
}

export interface SmsGateway {
  readonly name: string
  /**
   * Hands one text over to the carrier and gives the carrier's reference.
   * @param phone E.164
   * @throws Error when the gateway did not accept it in time
   */
  send(phone: string, text: SmsText): Promise<{ readonly reference: string }>
}
