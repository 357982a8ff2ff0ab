/**
 * The Sealer in software: SM4-CTR and HMAC-SM3, encrypt-then-MAC (GB/T 32907, GB/T 32905), because SM4-GCM is not
 * native. A person's data key is random and wrapped under the key-encryption key in the same form. Not a certified
 * module (未取得商密认证): production says so in its settings, or puts hardware behind the port (DESIGN D17).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto'
import { AppError } from '#src/errors.ts'
import type { IndexField, Sealer, WrappedKey } from './sealer.ts'

const keyBytes = 32
const ivBytes = 16
const macBytes = 32
const cachedKeys = 10_000

const hmac = (key: KeyObject, ...parts: readonly (string | Uint8Array)[]): Buffer => {
  const mac = createHmac('sm3', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** One random key gives two, so that neither is used for both jobs. Node works three times as fast with key objects. */
interface KeyPair {
  readonly cipher: KeyObject
  readonly mac: KeyObject
}

function derive(key: Uint8Array): KeyPair {
  const root = createSecretKey(key)
  return {
    cipher: createSecretKey(hmac(root, 'yihao|seal|cipher').subarray(0, 16)),
    mac: createSecretKey(hmac(root, 'yihao|seal|mac')),
  }
}

/** The length in front keeps context and ciphertext apart under the MAC. */
const bound = (context: string): string => `${Buffer.byteLength(context)}|${context}`

function encrypt(key: KeyPair, plain: Uint8Array, context: string): string {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('sm4-ctr', key.cipher, iv)
  const text = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([iv, text, hmac(key.mac, bound(context), iv, text)]).toString('base64url')
}

function decrypt(key: KeyPair, sealed: string, context: string): Buffer {
  const bytes = Buffer.from(sealed, 'base64url')
  // Node reads base64url leniently; only the one true spelling of the bytes is accepted.
  if (bytes.toString('base64url') !== sealed) throw new AppError('sealed_value_invalid', { detail: 'not base64url' })
  if (bytes.length < ivBytes + macBytes) throw new AppError('sealed_value_invalid', { detail: 'too short' })
  const iv = bytes.subarray(0, ivBytes)
  const text = bytes.subarray(ivBytes, -macBytes)
  if (!timingSafeEqual(bytes.subarray(-macBytes), hmac(key.mac, bound(context), iv, text))) {
    throw new AppError('sealed_value_invalid', { detail: 'the value, its key or its place was changed' })
  }
  const decipher = createDecipheriv('sm4-ctr', key.cipher, iv)
  return Buffer.concat([decipher.update(text), decipher.final()])
}

export interface SealerKeys {
  /** Key-encryption keys by id; `current` wraps new data keys, the others still unwrap. */
  readonly wrapping: { readonly current: string; readonly keys: Readonly<Record<string, Uint8Array>> }
  /** Blind-index key and its version, which stands in front of each index. */
  readonly index: { readonly version: number; readonly key: Uint8Array }
}

/** Sealed text is `1.<base64url of iv ‖ ciphertext ‖ mac>`; a wrapped key is `1.<key id>.<the same>`. */
export function createSoftwareSealer(keys: SealerKeys): Sealer {
  const wrapping = new Map(Object.entries(keys.wrapping.keys).map(([id, key]) => [id, derive(key)]))
  const unwrapped = new Map<string, KeyPair>()
  const indexKey = createSecretKey(keys.index.key)

  const wrappingKey = (id: string): KeyPair => {
    const key = wrapping.get(id)
    if (!key) throw new AppError('sealed_value_invalid', { detail: `wrapping key ${id} is not here` })
    return key
  }

  /** Keeps the keys used last; a person signing in uses his several times in a row. */
  const dataKey = (wrapped: WrappedKey, context: string): KeyPair => {
    const name = `${context}|${wrapped}`
    const known = unwrapped.get(name)
    if (known) {
      unwrapped.delete(name)
      unwrapped.set(name, known)
      return known
    }
    const [version, id, text, ...more] = wrapped.split('.')
    if (version !== '1' || !id || !text || more.length > 0)
      throw new AppError('sealed_value_invalid', { detail: 'not a wrapped key' })
    const key = derive(decrypt(wrappingKey(id), text, `key|${id}|${context}`))
    if (unwrapped.size >= cachedKeys) unwrapped.delete(unwrapped.keys().next().value as string)
    unwrapped.set(name, key)
    return key
  }

  return {
    async newDataKey(context) {
      const id = keys.wrapping.current
      return `1.${id}.${encrypt(wrappingKey(id), randomBytes(keyBytes), `key|${id}|${context}`)}`
    },
    async seal(key, keyContext, plain, context) {
      return `1.${encrypt(dataKey(key, keyContext), Buffer.from(plain), context)}`
    },
    async open(key, keyContext, sealed, context) {
      if (!sealed.startsWith('1.')) throw new AppError('sealed_value_invalid', { detail: 'unknown form' })
      return decrypt(dataKey(key, keyContext), sealed.slice(2), context).toString('utf8')
    },
    async index(field: IndexField, normalised) {
      return `${keys.index.version}.${hmac(indexKey, `yihao|index|${field}|${normalised}`).toString('base64url')}`
    },
  }
}
