/**
 * Port: something that unwraps the content key of a token encrypted to us (RFC 7516 §5.2, GM/T 0125 `SGD_SM2_3`). A key
 * file today, a cryptographic machine tomorrow: hence asynchronous, and only the content key comes out.
 */
import type { PublicJwk } from './signer.ts'

export interface Decrypter {
  /** JWE name of the key management: `SGD_SM2_3` (GM/T 0125). */
  readonly alg: string
  readonly kid: string
  /** `use` is `enc`. */
  readonly publicJwk: PublicJwk
  /**
   * The content key in an encrypted key (ASN.1, C1 C3 C2).
   * @throws AppError `sealed_value_invalid` where it was not encrypted to this key; saying no more
   */
  decrypt(encryptedKey: Uint8Array): Promise<Uint8Array>
}
