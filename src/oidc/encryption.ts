/**
 * Encryption towards applications (RFC 7516): which key management and content encryption an application may state. The
 * SM pair is GM/T 0125's; the others are those that stock libraries have.
 */
import type { JWK } from 'jose'

export const keyManagement = {
  SGD_SM2_3: { sm: true },
  'ECDH-ES': { sm: false },
  'RSA-OAEP-256': { sm: false },
} as const
export type KeyManagement = keyof typeof keyManagement

export const contentEncryption = ['SGD_SM4_GCM', 'A256GCM'] as const

/** What an application can have encrypted, and the engine's name for its metadata. */
export const encryptable = ['userinfo', 'id_token', 'introspection', 'authorization'] as const

export interface Encryption {
  readonly alg: KeyManagement
  readonly enc: (typeof contentEncryption)[number]
  readonly of: readonly (typeof encryptable)[number][]
}

/** Whether the engine finds this key when it encrypts under that algorithm (RFC 7517 §4.2, §4.4). */
export function isEncryptionKey({ kty, crv, use, alg }: JWK, wanted: KeyManagement): boolean {
  const sm = crv === 'sm2p256v1'
  const kind = wanted === 'RSA-OAEP-256' ? kty === 'RSA' : sm === keyManagement[wanted].sm && kty !== 'RSA'
  return kind && (use ?? 'enc') === 'enc' && (alg ?? wanted) === wanted
}

/** As client metadata (OpenID Connect Registration §2, RFC 9701 §6, JARM §3). */
export function encryptionMetadata(encryption: Encryption | undefined): Readonly<Record<string, string>> {
  if (!encryption) return {}
  const { alg, enc, of } = encryption
  return Object.fromEntries(
    of.flatMap((what) => [
      [`${what}_encrypted_response_alg`, alg],
      [`${what}_encrypted_response_enc`, enc],
    ]),
  )
}
