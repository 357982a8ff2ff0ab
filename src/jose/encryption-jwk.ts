/**
 * What a JWK may be used for (RFC 7517 §4.2–4.4) where it encrypts, as the upstream package reads it.
 */
import type { JWK } from 'jose-upstream'
import { isKeyOps } from './sm2-key-input.ts'

/**
 * @param operations - any of these in `key_ops` will do
 * @throws TypeError where `use`, `alg`, `key_ops` or `ext` says otherwise
 */
export function checkEncryptionJwk(jwk: JWK, alg: string, operations: readonly string[]): void {
  if (jwk.ext !== undefined && typeof jwk.ext !== 'boolean')
    throw new TypeError('"ext" (Extractable) Parameter must be a boolean')
  if (jwk.use !== undefined && jwk.use !== 'enc')
    throw new TypeError('Invalid key for this operation, its "use" must be "enc" when present')
  if (jwk.alg !== undefined && jwk.alg !== alg)
    throw new TypeError(`Invalid key for this operation, its "alg" must be "${alg}" when present`)
  if (jwk.key_ops !== undefined && !operations.some((operation) => isKeyOps(jwk.key_ops, operation)))
    throw new TypeError(`Invalid key for this operation, its "key_ops" must include "${operations[0]}" when present`)
}
