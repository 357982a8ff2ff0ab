/**
 * A back end as an HTTP service in any language: `POST <url>/begin` and `POST <url>/finish`, signed both ways
 * (`peers/signed-http.ts`). Each answer says its challenge again, so that a service that mixes up two citizens who ask
 * side by side proves neither. Nothing is asked twice: a second try might use up what the first has used.
 */
import { AppError } from '#src/errors.ts'
import { askPeer, PeerFailure, type SignedPeer } from '#src/peers/signed-http.ts'
import type { Claim } from '../verifier.ts'
import type { BackEnd } from './declared.ts'

interface Options {
  readonly name: string
  readonly by: 'form' | 'redirect' | 'device'
  readonly named: boolean
  readonly peer: Omit<SignedPeer, 'retries'>
}

export function createHttpBackEnd({ name, by, named, peer }: Options): BackEnd {
  const askedIn = ({ attempt, channel, locale, largeType, purpose, now }: Claim) => {
    return { verifier: name, challenge: attempt, channel, locale, largeType, purpose, now }
  }

  /** What the answer says beside its challenge. */
  const ask = async (
    what: 'begin' | 'finish',
    question: { readonly challenge: string; readonly [member: string]: unknown },
  ): Promise<unknown> => {
    try {
      const url = `${peer.url.replace(/\/+$/, '')}/${what}`
      const answer = await askPeer({ ...peer, url, retries: 0 }, question)
      const { challenge, ...rest } = (typeof answer === 'object' && answer !== null ? answer : {}) as {
        readonly challenge?: unknown
      }
      if (challenge !== question.challenge) throw new PeerFailure('another challenge')
      return rest
    } catch (error) {
      const detail = error instanceof PeerFailure ? error.detail : 'failed'
      throw new AppError('verifier_unavailable', { detail: `${name} ${what}: ${detail}` })
    }
  }

  return {
    begin: (claim, input) =>
      ask('begin', {
        ...askedIn(claim),
        ...(by === 'redirect' ? { returnTo: claim.returnTo } : {}),
        ...(named ? { named: input } : {}),
      }),
    finish: (claim, keep, input) => ask('finish', { ...askedIn(claim), keep, answer: input }),
  }
}
