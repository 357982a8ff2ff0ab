/**
 * A sign-in attempt: what the citizen has given so far, kept sealed under the engine's interaction id. Each save is the
 * whole attempt, so that two tabs never mix; which page comes next is read off what is there, never stored.
 */
import { z } from 'zod'
import { documentKinds } from '#src/identity/id-number.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Begun, Evidence } from '#src/verifiers/verifier.ts'

const faultSchema = z.object({
  step: z.string(),
  code: z.string(),
  /** 编号 of the request that was refused, by which log and audit trail know it; not of the page that shows it. */
  reference: z.string(),
  variables: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  /** The input as it was typed, so that a mistake loses nothing. */
  typed: z.string().optional(),
})

/** By what code an issuer knows a citizen, and the account without a number that goes by it so far, if any. */
export interface KnownCode {
  readonly issuer: string
  readonly code: string
  readonly person?: string
}

const attemptSchema = z.object({
  phone: z.string().optional(),
  /** 「这是公用电脑」: nothing outlives the browser's session. */
  publicComputer: z.boolean().default(false),
  challenge: z
    .object({
      id: z.string(),
      verifier: z.string(),
      keep: z.custom<Begun['keep']>(),
      expiresAt: z.number(),
      resendAt: z.number(),
    })
    .optional(),
  /** His turn in the line of a busy address. */
  place: z.object({ id: z.string(), at: z.number() }).optional(),
  /** Whom the citizen chose among those who share the phone; null: none of them. */
  person: z.string().nullable().optional(),
  documentKind: z.enum(documentKinds).optional(),
  name: z.string().optional(),
  /** Of a method that is named: whom he says he is, together with kind and name. */
  number: z.string().optional(),
  /** The method he has chosen, where the first page does not choose it. */
  method: z.string().optional(),
  /** What a form asks, as its verifier has said. */
  form: z.object({ challenge: z.string(), show: z.custom<Begun['show']>() }).optional(),
  /** A code by which an issuer knows him and which waits for the account that another method proves. */
  code: z.custom<KnownCode>().optional(),
  /** The register has been asked and has answered for `person`. */
  proofed: z.boolean().default(false),
  /** Why the last input was refused; shown until the next input, so that a reload repeats nothing. */
  fault: faultSchema.optional(),
})

/** The attempt with the evidence of its challenge, which is stored apart: no other tab's save can lose it. */
export type Attempt = z.infer<typeof attemptSchema> & { readonly evidence?: Evidence }
export type Challenge = NonNullable<Attempt['challenge']>
export type Fault = z.infer<typeof faultSchema>
export type Step = 'method' | 'passkey' | 'phone' | 'code' | 'who' | 'document' | 'name' | 'number' | 'prove' | 'link'

export interface Attempts {
  load(uid: string): Promise<Attempt>
  save(uid: string, attempt: Attempt): Promise<void>
  /** Keeps what a challenge has proven; the caller has won the challenge. */
  prove(challenge: string, evidence: Evidence): Promise<void>
}

interface Dependencies {
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put'>
  readonly lifetimeMs: number
  readonly now?: () => number
}

export function createAttempts({ artifacts, lifetimeMs, now = Date.now }: Dependencies): Attempts {
  const write = async (kind: 'Attempt' | 'Evidence', id: string, value: unknown): Promise<void> => {
    await artifacts.put(kind, id, value, { expiresAt: now() + lifetimeMs })
  }

  return {
    async load(uid) {
      const attempt = attemptSchema.parse((await artifacts.get('Attempt', uid))?.value ?? {})
      const evidence = attempt.challenge && (await artifacts.get<Evidence>('Evidence', attempt.challenge.id))?.value
      if (!evidence) return attempt
      // A late or second answer may have left its fault; the challenge is won all the same.
      const { fault, ...rest } = attempt
      return fault?.step === 'code' || fault?.step === 'prove' ? { ...rest, evidence } : { ...attempt, evidence }
    },
    save: (uid, { evidence: _, ...attempt }) => write('Attempt', uid, attempt),
    prove: (challenge, evidence) => write('Evidence', challenge, evidence),
  }
}
