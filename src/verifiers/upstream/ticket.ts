/**
 * A platform that hands the browser a ticket, which we exchange for a token and the token for who the citizen is: the
 * pattern of provincial platforms (C 0109/C 0110 in practice), whose addresses, fields and signatures differ and are
 * settings. A ticket has no nonce, so the address he comes back to carries one (`leg`) beside the state.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { TicketSettings } from '#src/config/upstream.ts'
import { askOutside, bodyOf, jsonOf } from '#src/peers/outside-http.ts'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { filledIn, returnAddress } from '../address.ts'
import { codeOf, fieldAt } from '../field.ts'
import type { Platform, Told } from './platform.ts'
import { signerOf } from './ticket-signing.ts'

type Places = Readonly<Record<string, string>>

const ticketSchema = z.string().regex(/^[\w.~+/=-]{8,1024}$/)

/** The settings' body with its places filled in; nothing is escaped, since the encoding does that. */
const filledBody = (template: Places, places: Places): Places =>
  Object.fromEntries(
    Object.entries(template).map(([field, text]) => [
      field,
      text.replace(/\{(\w+)\}/g, (_, name: string) => places[name] ?? ''),
    ]),
  )

/** @throws AppError `key_invalid` */
export function createTicketPlatform(settings: TicketSettings, now: () => number = Date.now): Platform {
  const { appId, accepted, token, userinfo, ticketField } = settings
  const sign = signerOf(settings)
  const timeoutMs = settings.timeout * 1000

  /** The answer, or the code by which the question was turned down. */
  const ask = async ({ url, encoding, body: template }: TicketSettings['userinfo'], known: Places): Promise<Told> => {
    const { headers, places } = sign(url, now())
    const { body, type } = bodyOf(encoding, filledBody(template, { appId, ...places, ...known }))
    const sent = { ...headers, 'content-type': type, accept: 'application/json' }
    const answer = await askOutside({ method: 'POST', url, headers: sent, body, timeoutMs })
    // These say that the platform does not know us, or that the address is wrong: nothing that a citizen has done.
    if ([401, 403, 404, 405, 429].includes(answer.status)) throw new PeerRefusal(answer.status)
    // Any other 4xx may be said of a ticket that is none.
    if (answer.status >= 400) return { fault: `status-${answer.status}` }
    const claims = jsonOf(answer)
    const code = fieldAt(claims, accepted.field)
    if (code === undefined) throw new PeerFailure('malformed')
    return code === accepted.value ? { claims } : { fault: codeOf(code) }
  }

  return {
    origins: [settings.signInPage, token.url, userinfo.url].map((url) => new URL(url.replace(/[{}]/g, '')).origin),

    async leave({ returnTo }) {
      const leg = randomUUID()
      const back = returnAddress({ ...returnTo, leg })
      return { leaveTo: filledIn(settings.signInPage, { appId, return: back }), own: { leg } }
    },

    async ask(_claim, own, _reference, input): Promise<Told> {
      const ticket = ticketSchema.safeParse((input as Places | undefined | null)?.[ticketField]).data
      if (ticket === undefined) return { fault: 'malformed' }
      if ((input as Places)['leg'] !== own['leg']) return { fault: 'leg' }
      const exchanged = await ask(token, { ticket })
      if ('fault' in exchanged) return exchanged
      const accessToken = fieldAt(exchanged.claims, token.field)
      if (accessToken === undefined || accessToken === '') throw new PeerFailure('malformed')
      return ask(userinfo, { ticket, token: accessToken })
    },
  }
}
