/**
 * A gateway behind signed HTTP, for whatever SMS or voice service a city has: a small adapter on their side answers one
 * POST. The question is `{ id, phone, template, locale, variables, order, text }`, the answer `{ reference }`. A
 * repeated question carries the same `id`, so that a lost answer does not send two texts. Both tries share the time.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { askPeer, PeerFailure, type SignedPeer } from '#src/peers/signed-http.ts'
import type { SmsGateway } from './gateway.ts'

const answerSchema = z.object({ reference: z.string().min(1).max(200) })

export function createHttpGateway(peer: Omit<SignedPeer, 'retries'>, name = 'http'): SmsGateway {
  return {
    name,
    async send(phone, text, withinMs = peer.timeoutMs) {
      const question = { id: randomUUID(), phone, ...text }
      const timeoutMs = Math.min(peer.timeoutMs, withinMs) / 2
      const answer = answerSchema.safeParse(await askPeer({ ...peer, timeoutMs, retries: 1 }, question))
      // Not the parser's own error: it quotes what it was given.
      if (!answer.success) throw new PeerFailure('malformed')
      return answer.data
    },
  }
}
