/**
 * The verifier `id-card`: 刷身份证. It says nothing of who held the card, and takes no reading for which a camera looked
 * at anybody: that needs a consent that was not asked here.
 */
import type { Verifier } from '../verifier.ts'
import { createCardVerifier, type CardVerifierParts } from './card-verifier.ts'

export const createIdCardVerifier = (parts: CardVerifierParts): Verifier =>
  createCardVerifier({ name: 'id-card', objection: ({ face }) => (face ? { why: 'face-unasked' } : undefined) }, parts)
