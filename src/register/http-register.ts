/**
 * The population register behind signed HTTP (`peers/signed-http.ts`): what a city's data bureau puts in front of its
 * register. Whatever goes wrong on the way is *unavailable* and never *mismatch*.
 *
 * `POST <url>/check` takes `{ kind, number, name, phone? }` and answers a RegisterAnswer; `POST <url>/changes` takes
 * `{ after?, limit }` and answers RegisterChanges, or 400 for a cursor it never gave.
 */
import { z } from 'zod'
import { askPeer, PeerFailure, PeerRefusal, type SignedPeer } from '#src/peers/signed-http.ts'
import { AppError } from '#src/errors.ts'
import { documentKinds } from '#src/identity/id-number.ts'
import type { PopulationRegister } from '#src/identity/registry.ts'

const answerSchema = z.discriminatedUnion('result', [
  z.object({ result: z.literal('match'), phone: z.enum(['match', 'mismatch', 'unknown']) }),
  z.object({ result: z.enum(['mismatch', 'deceased', 'cancelled', 'document-void', 'renamed', 'renumbered']) }),
])

const change = { at: z.number(), kind: z.enum(documentKinds), number: z.string() }
const changesSchema = z.object({
  changes: z.array(
    z.discriminatedUnion('change', [
      z.object({ ...change, change: z.enum(['deceased', 'cancelled', 'document-void']) }),
      z.object({ ...change, change: z.literal('renamed'), newName: z.string() }),
      z.object({ ...change, change: z.literal('renumbered'), newNumber: z.string() }),
    ]),
  ),
  cursor: z.string(),
})

export function createHttpRegister(peer: Omit<SignedPeer, 'retries'>): PopulationRegister {
  const ask = async <T>(path: string, question: object, schema: z.ZodType<T>): Promise<T> => {
    try {
      const url = `${peer.url.replace(/\/$/, '')}/${path}`
      return schema.parse(await askPeer({ ...peer, url, retries: 1 }, question))
    } catch (cause) {
      // A schema error would quote the answer, and with it a person.
      if (!(cause instanceof PeerFailure)) throw new AppError('register_unavailable', { detail: `${path}: malformed` })
      throw new AppError('register_unavailable', { detail: `${path}: ${cause.detail}`, cause })
    }
  }
  return {
    name: 'http',
    check: (query) => ask('check', query, answerSchema),
    async changes(after, limit) {
      try {
        return await ask('changes', { ...(after === undefined ? {} : { after }), limit }, changesSchema)
      } catch (error) {
        const { cause } = error as AppError
        if (after === undefined || !(cause instanceof PeerRefusal) || cause.status !== 400) throw error
        throw new AppError('bad_request', { detail: 'the cursor is not one of this register', cause })
      }
    },
  }
}
