/**
 * A face service behind signed HTTP (`peers/signed-http.ts`): a small adapter on their side answers two questions,
 * `POST <url>/create` and `POST <url>/result`; README.md publishes their JSON. A repeated question carries the same
 * `order`, so that a lost answer does not make two sessions. Both tries share the time.
 */
import { z } from 'zod'
import { askPeer, PeerFailure, PeerRefusal, type SignedPeer } from '#src/peers/signed-http.ts'
import type { FaceSessions } from './sessions.ts'

const madeSchema = z.object({ session: z.string().min(1).max(200), url: z.string().max(2_000) })
const resultSchema = z.object({
  session: z.string(),
  order: z.string(),
  result: z.enum(['passed', 'failed', 'unfinished']),
  number: z.string().optional(),
  name: z.string().optional(),
})

/** It understands the question and cannot look at this person; or it has no such session. */
const unfit = 422
const gone = 404

export function createHttpFace(peer: Omit<SignedPeer, 'retries'>): FaceSessions {
  const ask = (path: string, question: object) =>
    askPeer(
      { ...peer, url: `${peer.url.replace(/\/$/, '')}${path}`, timeoutMs: peer.timeoutMs / 2, retries: 1 },
      question,
    )
  /** Another 4xx says that the two sides do not fit together: nobody's fault who signs in. */
  const asFailure = (error: unknown) =>
    error instanceof PeerRefusal ? new PeerFailure(`status ${error.status}`) : error

  return {
    name: 'http',

    async create(request) {
      let answer: unknown
      try {
        answer = await ask('/create', request)
      } catch (error) {
        throw error instanceof PeerRefusal && error.status === unfit ? error : asFailure(error)
      }
      const made = madeSchema.safeParse(answer)
      if (!made.success) throw new PeerFailure('malformed')
      return made.data
    },

    async result(of) {
      let answer: unknown
      try {
        answer = await ask('/result', of)
      } catch (error) {
        if (error instanceof PeerRefusal && error.status === gone) return { verdict: 'unknown' }
        throw asFailure(error)
      }
      const parsed = resultSchema.safeParse(answer)
      if (!parsed.success) throw new PeerFailure('malformed')
      const { result: verdict, ...repeated } = parsed.data
      return { verdict, ...repeated }
    },
  }
}
