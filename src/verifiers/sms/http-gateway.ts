/**
 * A gateway behind signed HTTP, for whatever SMS service a city has: a small adapter on their side answers one POST.
 * The question is `{ id, phone, template, locale, variables, order, text }`, the answer `{ reference }`. A repeated
 * question carries the same `id`, so that a lost answer does not send two texts. Both tries share the time.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { askPeer, type SignedPeer } from '#src/peers/signed-http.ts'
import type { SmsGateway } from './gateway.ts'

const answerSchema = z.object({ reference: z.string().min(1).max(200) })

export function createHttpGateway(peer: Omit<SignedPeer, 'retries'>): SmsGateway {
  return {
    name: 'http',
    async send(phone, text) {
      const question = { id: randomUUID(), phone, ...text }
      return answerSchema.parse(await askPeer({ ...peer, timeoutMs: peer.timeoutMs / 2, retries: 1 }, question))
    },
  }
}
