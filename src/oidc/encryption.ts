/**
 * Encryption towards applications (RFC 7516): which key management and content encryption an application may state. The
 * SM pair is GM/T 0125's; the others are those that stock libraries have.
 */

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
