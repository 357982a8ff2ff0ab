/**
 * How an application's library speaks SM2 where it does not follow GM/T 0125: another name of the algorithm or of the
 * curve, signatures in DER. Its file says so; for every other application such names are unknown.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { z } from 'zod'
import { SGD_SM3_SM2, SM_ALG_ALIASES, SM_CURVE_ALIASES, sm2SignatureFromDer, sm2SignatureToDer } from 'jose'
import type { ClientKey } from './client-keys.ts'

const aliases = Object.keys(SM_ALG_ALIASES).filter((name) => SM_ALG_ALIASES[name] === SGD_SM3_SM2)

/** Other names of SGD_SM3_SM2. */
export const sm2Aliases: ReadonlySet<string> = new Set(aliases)

export const dialectSchema = z.strictObject({
  alg: z.enum(aliases as [string, ...string[]]).optional(),
  crv: z.enum(Object.keys(SM_CURVE_ALIASES) as [string, ...string[]]).optional(),
  signature: z.enum(['raw', 'der']).optional(),
})
export type Dialect = z.infer<typeof dialectSchema>

/** A key set in the names of GM/T 0125.4; keys on the SM2 curve are named as their tokens are. */
export function standardKeys(set: unknown, dialect: Dialect): unknown {
  const keys = (set as { readonly keys?: unknown } | null)?.keys
  if (!Array.isArray(keys)) return set
  return { keys: keys.map((key: ClientKey) => (isSpoken(key, dialect) ? { ...key, crv: 'sm2p256v1' } : key)) }
}

const isSpoken = (key: ClientKey | null, { crv }: Dialect): boolean =>
  typeof key === 'object' && key !== null && crv !== undefined && key['crv'] === crv

const form = new AsyncLocalStorage<Dialect['signature']>()

/** Whatever is signed meanwhile is spelt as this dialect spells it. */
export const spelling = <Result>(dialect: Dialect | undefined, work: () => Result): Result =>
  form.run(dialect?.signature, work)

/** An SM2 signature r‖s as it is due. */
export const spelt = (signature: Uint8Array): Uint8Array =>
  form.getStore() === 'der' ? sm2SignatureToDer(signature) : signature

/** A token of ours that comes back, with its signature as r‖s; one that is none stays as it is and verifies nowhere. */
export function respelt(token: string, dialect: Dialect | undefined): string {
  if (dialect?.signature !== 'der') return token
  const at = token.lastIndexOf('.') + 1
  try {
    const signature = sm2SignatureFromDer(Buffer.from(token.slice(at), 'base64url'))
    return `${token.slice(0, at)}${signature.toString('base64url')}`
  } catch {
    return token
  }
}
