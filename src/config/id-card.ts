/** The settings of `id-card` and `card-face`: whose terminals read cards, where their agent answers, and what counts. */
import { z } from 'zod'
import { bilingual, origin, seconds } from './values.ts'

/** Of `card-face` alone: no level is among them, for it is worth no more than the card. */
const face = z.strictObject({
  /** Who runs the terminals that compare, and which text of the consent this is. */
  receiver: bilingual,
  version: z.string().regex(/^[\w.-]{1,32}$/),
  /** The models whose outcome counts. */
  models: z.array(z.string().min(1).max(100)).min(1),
  /** The greatest distance that a terminal may have taken for the same face. */
  threshold: z.number().positive().max(1),
  /** That the camera takes on top of the card: a nonce lives, and a reading may be old, for so much longer. */
  seconds: seconds.max(120).default(60),
})

export const idCard = z.strictObject({
  /** The terminal's agent as the page on the terminal reaches it. */
  agent: origin,
  /** A file of the certificates, in PEM, that vouch for terminals. */
  roots: z.string().min(1).optional(),
  /** A directory with one file for each terminal. */
  terminals: z.string().min(1),
  /** That a nonce lives. */
  validity: seconds.max(300),
  /** That a reading may be old, and that the clock of a terminal may be ahead. */
  maxAge: seconds.max(300),
  clockSkew: seconds.max(120),
  /** Windows at which a vendor's own reader program fills in name and number: which vendor, and their channels. */
  prefill: z
    .strictObject({ vendor: z.enum(['synjones', 'cvr', 'routon', 'zk']), channels: z.array(z.string().min(1)).min(1) })
    .optional(),
  face: face.optional(),
})
