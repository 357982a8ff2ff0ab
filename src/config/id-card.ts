/** The settings of the verifier `id-card`: whose terminals read cards, and where their agent answers. */
import { z } from 'zod'
import { origin, seconds } from './values.ts'

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
})
