/**
 * Encrypted JSON Web Tokens (RFC 7519) with SGD_SM2_3 or SGD_SM4_GCM. The claims are built and checked by upstream.
 */
import * as upstream from 'jose-upstream'
import type {
  CompactJWEHeaderParameters,
  EncryptOptions,
  JWTDecryptOptions,
  JWTDecryptResult,
  JWTPayload,
  KeyInput,
  ResolvedKey,
} from 'jose-upstream'
import { compactDecrypt } from './jwe-decrypt.ts'
import type { DecryptKey } from './jwe-decrypt.ts'
import { encryptCompact } from './jwe-encrypt.ts'
import { algorithmsOf, encodeHeader, isSmJwe, standIn } from './jwe-header.ts'
import type { Algorithms } from './jwe-header.ts'

const { JWTClaimValidationFailed } = upstream.errors

/** As upstream's, and for SGD_SM2_3 and SGD_SM4_GCM. */
export class EncryptJWT extends upstream.EncryptJWT {
  #named: Algorithms = {}

  override setProtectedHeader(header: CompactJWEHeaderParameters): this {
    this.#named = header
    return super.setProtectedHeader(standIn(header))
  }

  override async encrypt(key: KeyInput, options?: EncryptOptions): Promise<string> {
    return encryptCompact(this.#named, key, (shownKey) => super.encrypt(shownKey, options))
  }
}

/** As upstream's, for SGD_SM2_3 and SGD_SM4_GCM, and with a `KeyDecrypter` for a key. */
export async function jwtDecrypt<PayloadType = JWTPayload>(
  jwt: string | Uint8Array,
  key: DecryptKey,
  options?: JWTDecryptOptions,
): Promise<JWTDecryptResult<PayloadType> & Partial<ResolvedKey>> {
  const text = jwt instanceof Uint8Array ? Buffer.from(jwt).toString('latin1') : jwt
  const encoded = typeof text === 'string' ? text.split('.')[0] : undefined
  if (!isSmJwe(algorithmsOf({ protected: encoded }))) return upstream.jwtDecrypt(jwt, key as KeyInput, options)
  const { plaintext, ...result } = await compactDecrypt(jwt, key, options)
  const { protectedHeader } = result
  // Upstream's unsecured JWT takes the same options and throws the same errors.
  const header = encodeHeader({ alg: 'none', typ: protectedHeader.typ } as never)
  const claims = Buffer.from(plaintext).toString('base64url')
  const { payload } = upstream.UnsecuredJWT.decode<PayloadType>(`${header}.${claims}.`, options)
  checkReplicated(protectedHeader, payload)
  return { ...result, payload }
}

/** RFC 7519 §5.3: a claim that the header repeats must be the same there. */
function checkReplicated(header: Record<string, unknown>, payload: JWTPayload): void {
  for (const claim of ['iss', 'sub', 'aud'])
    if (header[claim] !== undefined && JSON.stringify(header[claim]) !== JSON.stringify(payload[claim]))
      throw new JWTClaimValidationFailed(
        `replicated "${claim}" claim header parameter mismatch`,
        payload,
        claim,
        'mismatch',
      )
}
