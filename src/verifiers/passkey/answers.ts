/** What a browser hands over as JSON (WebAuthn §5.1, `toJSON`), read with care, and why the library refused it. */
import { createHash } from 'node:crypto'
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { z } from 'zod'

const base64url = z
  .string()
  .max(16_384)
  .regex(/^[\w-]+$/)
const common = { id: base64url, rawId: base64url, type: z.literal('public-key') }

const assertionSchema = z.object({
  ...common,
  response: z.object({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
    // Every discoverable credential has one (WebAuthn §6.1.1); without it the answer names nobody.
    userHandle: base64url,
  }),
})

const attestationSchema = z.object({
  ...common,
  response: z.object({
    clientDataJSON: base64url,
    attestationObject: base64url,
    transports: z
      .array(z.string().regex(/^[a-z-]{1,20}$/))
      .max(8)
      .default([]),
  }),
})

function parsed<T>(schema: z.ZodType<T>, answer: unknown): T | undefined {
  if (typeof answer !== 'string') return undefined
  try {
    return schema.safeParse(JSON.parse(answer)).data
  } catch {
    return undefined
  }
}

/** No extension was asked for, so none that answers is heard. */
const withoutExtensions = { clientExtensionResults: {} }

export type Assertion = AuthenticationResponseJSON & { readonly response: { readonly userHandle: string } }

export function readAssertion(answer: unknown): Assertion | undefined {
  const read = parsed(assertionSchema, answer)
  return read && { ...read, ...withoutExtensions }
}

export function readAttestation(answer: unknown): RegistrationResponseJSON | undefined {
  const read = parsed(attestationSchema, answer)
  return read && ({ ...read, ...withoutExtensions } as RegistrationResponseJSON)
}

export interface ClientData {
  readonly type?: unknown
  readonly challenge?: unknown
  readonly origin?: unknown
  readonly crossOrigin?: unknown
}

export function clientDataOf(encoded: string): ClientData {
  try {
    const data: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
    return typeof data === 'object' && data !== null ? data : {}
  } catch {
    return {}
  }
}

export interface Site {
  /** Where pages may ask: the issuer. */
  readonly origin: string
  /** WebAuthn's RP ID: the issuer's host. */
  readonly rpId: string
}

export const siteOf = (issuer: string): Site => ({ origin: issuer, rpId: new URL(issuer).hostname })

const userVerified = 0x04

/**
 * The reason for the audit trail, a stable code. The library has decided; its sentences may change with its versions.
 * @param authenticatorData begins with the hash of the RP ID and the flags (WebAuthn §6.1)
 */
export function whyRefused(site: Site, type: string, client: ClientData, authenticatorData: Uint8Array): string {
  if (client.type !== type) return 'type'
  if (client.origin !== site.origin || client.crossOrigin === true) return 'origin'
  const hash = createHash('sha256').update(site.rpId).digest()
  if (!hash.equals(authenticatorData.subarray(0, 32))) return 'rp'
  if (((authenticatorData[32] ?? 0) & userVerified) === 0) return 'user-verification'
  return 'signature'
}
