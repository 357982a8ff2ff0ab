/**
 * Making a JSON Web Encryption (RFC 7516 §5.1) with SGD_SM2_3 or SGD_SM4_GCM; every other algorithm goes to upstream.
 *
 * Upstream first makes the same JWE under stand-ins and a key of ours: it checks headers, options and parameters,
 * compresses, and draws the content encryption key and the initialization vector, or takes the caller's. That JWE is
 * then opened and its content encrypted again under the SM names.
 */
import { createDecipheriv, randomBytes } from 'node:crypto'
import * as upstream from 'jose-upstream'
import type {
  CompactJWEHeaderParameters,
  EncryptOptions,
  FlattenedJWE,
  JWEHeaderParameters,
  KeyInput,
} from 'jose-upstream'
import { contentCipher, directKey } from './content-encryption.ts'
import { encodeHeader, isSmJwe, refuseMixture, restored, standIn, standInFor } from './jwe-header.ts'
import type { Algorithms } from './jwe-header.ts'
import { SGD_SM2_3 } from './names.ts'
import { sm2Encrypt } from './sm2-encryption.ts'
import type { Sm2KeyInput } from './sm2.ts'

/** A JWE as upstream made it under the secret it was given. */
export type StandInJwe = Pick<FlattenedJWE, 'protected' | 'aad' | 'iv' | 'ciphertext' | 'tag' | 'unprotected'>

/** The members of the JWE that are not the same under the SM names. */
export type Sealed = Pick<FlattenedJWE, 'protected' | 'unprotected' | 'ciphertext' | 'tag'>

/** As upstream's, and for SGD_SM2_3 and SGD_SM4_GCM. */
export class FlattenedEncrypt extends upstream.FlattenedEncrypt {
  #named: Algorithms = {}

  override setProtectedHeader(header: JWEHeaderParameters): this {
    return super.setProtectedHeader(this.#shown(header))
  }

  override setSharedUnprotectedHeader(header: JWEHeaderParameters): this {
    return super.setSharedUnprotectedHeader(this.#shown(header))
  }

  override setUnprotectedHeader(header: JWEHeaderParameters): this {
    return super.setUnprotectedHeader(this.#shown(header))
  }

  override async encrypt(key: KeyInput, options?: EncryptOptions): Promise<FlattenedJWE> {
    return encryptUnder(this.#named, key, (shownKey) => super.encrypt(shownKey, options))
  }

  #shown(header: JWEHeaderParameters): JWEHeaderParameters {
    this.#named = { ...header, ...this.#named }
    return standIn(header)
  }
}

/** As upstream's, and for SGD_SM2_3 and SGD_SM4_GCM. */
export class CompactEncrypt extends upstream.CompactEncrypt {
  #named: Algorithms = {}

  override setProtectedHeader(header: CompactJWEHeaderParameters): this {
    this.#named = header
    return super.setProtectedHeader(standIn(header))
  }

  override async encrypt(key: KeyInput, options?: EncryptOptions): Promise<string> {
    return encryptCompact(this.#named, key, (shownKey) => super.encrypt(shownKey, options))
  }
}

/** As `encryptUnder`, for what upstream gives in the compact serialization. */
export async function encryptCompact(
  named: Algorithms,
  key: KeyInput,
  run: (key: KeyInput) => Promise<string>,
): Promise<string> {
  const jwe = await encryptUnder(named, key, async (shownKey) => flattened(await run(shownKey)))
  return [jwe.protected, jwe.encrypted_key, jwe.iv, jwe.ciphertext, jwe.tag].join('.')
}

function flattened(compact: string): FlattenedJWE {
  const [header, encrypted_key, iv, ciphertext = '', tag] = compact.split('.')
  return { protected: header, encrypted_key, iv, ciphertext, tag } as FlattenedJWE
}

async function encryptUnder(
  named: Algorithms,
  key: KeyInput,
  run: (key: KeyInput) => Promise<FlattenedJWE>,
): Promise<FlattenedJWE> {
  refuseMixture(named)
  if (!isSmJwe(named)) return run(key)
  const secret = randomBytes(16)
  const jwe = await run(secret)
  const isCarried = named.alg === SGD_SM2_3
  const cek = isCarried ? unwrap(secret, jwe.encrypted_key) : directKey(key, 'encrypt')
  return {
    ...jwe,
    ...seal(jwe, named, isCarried ? cek : secret, cek),
    ...(isCarried && { encrypted_key: encryptKey(key, cek) }),
    ...(jwe.header && { header: restored(jwe.header, named) }),
  }
}

/** The content encryption key that upstream wrapped with our secret (RFC 3394). */
export function unwrap(secret: Buffer, encryptedKey: string | undefined): Buffer {
  const decipher = createDecipheriv('id-aes128-wrap', secret, Buffer.alloc(8, 0xa6))
  return Buffer.concat([decipher.update(encryptedKey ?? '', 'base64url'), decipher.final()])
}

/** `encrypted_key`: the content encryption key encrypted to an SM2 key. */
export function encryptKey(key: KeyInput, cek: Uint8Array): string {
  return sm2Encrypt(key as Sm2KeyInput, cek).toString('base64url')
}

/** The content of a JWE that upstream made under `shownKey`, encrypted under the SM names with `key`. */
export function seal(jwe: StandInJwe, named: Algorithms, shownKey: Uint8Array, key: Uint8Array): Sealed {
  const shown = contentCipher(standInFor(named.enc))
  const bytes = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url')
  const iv = bytes(jwe.iv)
  const plaintext = shown.decrypt(shownKey, iv, bytes(jwe.ciphertext), bytes(jwe.tag), associatedData(jwe))
  if (!plaintext) throw new Error('the JWE under the stand-ins does not open')
  const header = jwe.protected && encodeHeader(restored(upstream.decodeProtectedHeader(jwe), named))
  const sealed = contentCipher(named.enc).encrypt(key, iv, plaintext, associatedData({ ...jwe, protected: header }))
  return {
    ...(header && { protected: header }),
    ...(jwe.unprotected && { unprotected: restored(jwe.unprotected, named) }),
    ciphertext: sealed.ciphertext.toString('base64url'),
    tag: sealed.tag.toString('base64url'),
  }
}

/** RFC 7516 §5.1 step 14: the protected header and, behind a dot, the JWE AAD, both as they are encoded. */
export function associatedData({ protected: header = '', aad }: Pick<FlattenedJWE, 'protected' | 'aad'>): Buffer {
  return Buffer.from(aad === undefined ? header : `${header}.${aad}`, 'ascii')
}
