/**
 * Opening a JSON Web Encryption (RFC 7516 §5.2) with SGD_SM2_3 or SGD_SM4_GCM; others go to upstream as they came.
 *
 * Upstream reads the JWE first, under stand-ins, and is given a key resolver: that runs after upstream has checked the
 * shape, `crit`, `zip` and the options, opens the JWE there, and leaves before upstream looks at a key.
 */
import { randomBytes } from 'node:crypto'
import * as upstream from 'jose-upstream'
import type {
  CompactDecryptResult,
  DecryptOptions,
  FlattenedDecryptResult,
  FlattenedJWE,
  JWEHeaderParameters,
  KeyInput,
  ResolvedKey,
} from 'jose-upstream'
import { contentCipher, directKey } from './content-encryption.ts'
import type { ContentCipher } from './content-encryption.ts'
import { decryptKey, toKeyDecrypter } from './key-decrypter.ts'
import type { DecryptedKey, KeyDecrypter } from './key-decrypter.ts'
import { associatedData } from './jwe-encrypt.ts'
import { algorithmsOf, decodeCanonical, encodeHeader, isSmJwe } from './jwe-header.ts'
import { protectedHeaderOf, standIn, standInList } from './jwe-header.ts'
import type { Algorithms } from './jwe-header.ts'
import { SGD_SM2_3 } from './names.ts'

const { JWEDecryptionFailed, JWEInvalid } = upstream.errors

type Resolver = (
  header: JWEHeaderParameters | undefined,
  jwe: FlattenedJWE,
) => KeyInput | KeyDecrypter | Promise<KeyInput | KeyDecrypter>
export type DecryptKey = KeyInput | KeyDecrypter | Resolver
type Result = FlattenedDecryptResult & Partial<ResolvedKey>

/** Thrown by the resolver to leave upstream once the JWE has been opened. */
const OPENED = Symbol('opened')

/** As upstream's, for SGD_SM2_3 and SGD_SM4_GCM, and with a `KeyDecrypter` for a key. */
export async function flattenedDecrypt(jwe: FlattenedJWE, key: DecryptKey, options?: DecryptOptions): Promise<Result> {
  const snapshot = { ...jwe }
  const named = algorithmsOf(snapshot)
  if (!isSmJwe(named)) return upstream.flattenedDecrypt(jwe, key as KeyInput, options)
  const protectedHeader = protectedHeaderOf(snapshot.protected)
  let opened: Result | undefined
  try {
    await upstream.flattenedDecrypt(
      shown(snapshot, protectedHeader),
      async () => {
        opened = await open(snapshot, protectedHeader, named, key, options)
        throw OPENED
      },
      shownOptions(options, named),
    )
  } catch (error) {
    if (error !== OPENED) throw error
  }
  if (!opened) throw new JWEDecryptionFailed()
  return opened
}

/** As upstream's, for SGD_SM2_3 and SGD_SM4_GCM, and with a `KeyDecrypter` for a key. */
export async function compactDecrypt(
  jwe: string | Uint8Array,
  key: DecryptKey,
  options?: DecryptOptions,
): Promise<CompactDecryptResult & Partial<ResolvedKey>> {
  const parts = (jwe instanceof Uint8Array ? new TextDecoder().decode(jwe) : typeof jwe === 'string' ? jwe : '').split(
    '.',
  )
  const [header, encryptedKey, iv, ciphertext, tag] = parts
  const flattened = {
    protected: header,
    encrypted_key: encryptedKey || undefined,
    iv: iv || undefined,
    ciphertext,
    tag: tag || undefined,
  }
  if (parts.length !== 5 || !isSmJwe(algorithmsOf(flattened)))
    return upstream.compactDecrypt(jwe, key as KeyInput, options)
  return (await flattenedDecrypt(flattened as FlattenedJWE, key, options)) as CompactDecryptResult
}

/** The JWE, and its protected header, under stand-ins. */
export function shown<Jwe extends Partial<FlattenedJWE>>(
  jwe: Jwe,
  protectedHeader: JWEHeaderParameters | undefined,
): Jwe {
  return {
    ...jwe,
    ...(protectedHeader && { protected: encodeHeader(standIn(protectedHeader)) }),
    ...(jwe.unprotected !== undefined && { unprotected: standIn(jwe.unprotected) }),
    ...(jwe.header !== undefined && { header: standIn(jwe.header) }),
  }
}

function shownOptions(options: DecryptOptions | undefined, { alg, enc }: Algorithms): DecryptOptions | undefined {
  return (
    options && {
      ...options,
      keyManagementAlgorithms: standInList(options.keyManagementAlgorithms, alg),
      contentEncryptionAlgorithms: standInList(options.contentEncryptionAlgorithms, enc),
    }
  )
}

async function open(
  jwe: FlattenedJWE,
  protectedHeader: JWEHeaderParameters | undefined,
  named: Algorithms,
  key: DecryptKey,
  options?: DecryptOptions,
): Promise<Result> {
  const cipher = contentCipher(named.enc)
  const { iv, tag } = fixedParts(jwe)
  const ciphertext = decodeCanonical(jwe.ciphertext, 'ciphertext')
  const resolved = typeof key === 'function' ? await key(protectedHeader, jwe) : key
  const { usedKey, cek, cause } = await contentKey(jwe, named, resolved, cipher)
  const plaintext = cipher.decrypt(cek, iv, ciphertext, tag, associatedData(jwe))
  if (!plaintext) throw new JWEDecryptionFailed(undefined, cause === undefined ? undefined : { cause })
  const zip = { ...protectedHeader, ...jwe.header, ...jwe.unprotected }.zip
  return {
    plaintext: zip === undefined ? new Uint8Array(plaintext) : await inflate(plaintext, options),
    ...(protectedHeader && { protectedHeader }),
    ...(jwe.aad !== undefined && { additionalAuthenticatedData: new Uint8Array(decodeCanonical(jwe.aad, 'aad')) }),
    ...(jwe.unprotected && { sharedUnprotectedHeader: jwe.unprotected }),
    ...(jwe.header && { unprotectedHeader: jwe.header }),
    ...(typeof key === 'function' && { key: usedKey as ResolvedKey['key'] }),
  }
}

/** The parts whose length the cipher gives; looked at before any key is used. */
function fixedParts(jwe: FlattenedJWE): { readonly iv: Buffer; readonly tag: Buffer } {
  if (jwe.iv === undefined) throw new JWEInvalid('JWE Initialization Vector missing')
  if (jwe.tag === undefined) throw new JWEInvalid('JWE Authentication Tag missing')
  const iv = decodeCanonical(jwe.iv, 'iv')
  const tag = decodeCanonical(jwe.tag, 'tag')
  if (tag.length !== 16) throw new JWEInvalid('Invalid Authentication Tag length')
  if (iv.length !== 12) throw new JWEInvalid('Invalid Initialization Vector length')
  return { iv, tag }
}

/**
 * The key as it is used, and the content encryption key. Where SM2 gives none, or one of another length, a random one
 * takes its place, so that a forged encrypted key and a forged content fail alike (RFC 7516 §11.5).
 */
async function contentKey(
  jwe: FlattenedJWE,
  { alg }: Algorithms,
  key: KeyInput | KeyDecrypter,
  { keyLength }: ContentCipher,
): Promise<DecryptedKey & { readonly usedKey: unknown; readonly cek: Uint8Array }> {
  if (alg !== SGD_SM2_3) {
    if (jwe.encrypted_key !== undefined) throw new JWEInvalid('Encountered unexpected JWE Encrypted Key')
    const secret = directKey(key, 'decrypt')
    return { usedKey: secret, cek: secret }
  }
  const usedKey = toKeyDecrypter(key)
  const { cek, cause } = await decryptKey(usedKey, jwe.encrypted_key)
  return { usedKey, cek: cek?.length === keyLength ? cek : randomBytes(keyLength), cause }
}

/** `zip`: upstream inflates, bounded and refusing as it does, what it is shown as the content of a JWE of its own. */
async function inflate(compressed: Buffer, options?: DecryptOptions): Promise<Uint8Array> {
  const key = randomBytes(16)
  const iv = randomBytes(12)
  const header = encodeHeader({ alg: 'dir', enc: 'A128GCM', zip: 'DEF' })
  const { ciphertext, tag } = contentCipher('A128GCM').encrypt(key, iv, compressed, Buffer.from(header))
  const text = (bytes: Buffer): string => bytes.toString('base64url')
  const jwe = { protected: header, iv: text(iv), ciphertext: text(ciphertext), tag: text(tag) }
  const { maxDecompressedLength } = options ?? {}
  return (await upstream.flattenedDecrypt(jwe, key, { maxDecompressedLength })).plaintext
}
