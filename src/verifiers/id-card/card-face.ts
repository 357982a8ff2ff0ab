/**
 * The verifier `card-face`: 刷身份证并比对人脸. The terminal that reads the card compares the photo in its chip with who
 * stands before its own camera, in its own memory, and signs the outcome with the reading; no image leaves it.
 *
 * It is an aid, and no proof of a living person (辅助核对，不是活体检测): two movements that the server chooses keep a
 * photo on paper out, and a film that is made for it they do not. So it reaches L2 as the card does, whatever the
 * settings say, and its `amr` is the card's: `face` (RFC 8176) would tell applications of a biometric proof.
 */
import { randomInt } from 'node:crypto'
import { isUnder14 } from '#src/identity/calendar.ts'
import type { Verifier } from '../verifier.ts'
import type { Holder, Wrong } from './card.ts'
import { createCardVerifier, type CardVerifierParts } from './card-verifier.ts'
import { movements, type Movement, type Reading } from './reading.ts'

export interface FaceSettings {
  /** Who runs the terminals, and which text of the consent this is. */
  readonly receiver: NonNullable<Verifier['consent']>['receiver']
  readonly version: string
  /** The models whose outcome counts. */
  readonly models: readonly string[]
  /** The greatest distance between two faces that a terminal may have taken for one. */
  readonly threshold: number
  /** Seconds that the camera takes on top of the card. */
  readonly seconds: number
}

type Face = NonNullable<Reading['face']>

/** Two different ones, in an order that nobody can foretell. */
function twoMovements(): readonly Movement[] {
  const left = [...movements]
  return [0, 1].flatMap(() => left.splice(randomInt(left.length), 1))
}

/** The terminal is not as the city wants it; whoever stands there can do nothing about it. */
const terminal = (why: string): Wrong => ({ why, say: 'face_terminal' })

/** A try counts where somebody was seen: there are six orders of movements, and a film has one of them. */
function wrongIn(outcome: Face['outcome'], about: Holder): Wrong | undefined {
  if (outcome === 'match') return undefined
  if (outcome === 'no-face') return { why: 'face-none', say: 'face_none' }
  return outcome === 'mismatch'
    ? { why: 'face-mismatch', say: 'face_mismatch', about }
    : { why: 'face-actions-missed', say: 'face_actions-missed', about }
}

export function createCardFaceVerifier(parts: CardVerifierParts & { readonly face: FaceSettings }): Verifier {
  const { receiver, version, models, threshold, seconds } = parts.face
  const verifier = createCardVerifier(
    {
      name: 'card-face',
      asks: twoMovements,
      objection({ face }, { holder, birthDate }, asked, now) {
        if (!face) return terminal('face-missing')
        // The agent refuses them before its camera is opened; here it is made sure of.
        if (isUnder14(birthDate, now)) return { why: 'under-14', say: 'proof_under-14' }
        if (!models.includes(face.model)) return terminal('face-model')
        if (face.threshold > threshold) return terminal('face-threshold')
        if (JSON.stringify(face.actions) !== JSON.stringify(asked)) return { why: 'face-actions' }
        return wrongIn(face.outcome, holder)
      },
    },
    { ...parts, validity: parts.validity + seconds, maxAge: parts.maxAge + seconds },
  )
  return {
    ...verifier,
    facial: true,
    consent: { receiver, version, stays: true },
    // The terminal's live picture, which this page shows without seeing it.
    frames: [parts.agent],
  }
}
