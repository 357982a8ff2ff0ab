/**
 * The Sealer in software: envelopes of SM4-CTR and HMAC-SM3 under a random data key for each person, which is wrapped
 * under the wrapping key in the same form. Not a certified module (未取得商密认证): production says so in its settings,
 * or puts hardware behind the port (DESIGN D17).
 */
import { createSecretKey, randomBytes } from 'node:crypto'
import { AppError } from '#src/errors.ts'
import { decrypt, encrypt, envelopeKey, hmac, type EnvelopeKey } from './envelope.ts'
import type { IndexField, Sealer, WrappedKey } from './sealer.ts'

const keyBytes = 32
const cachedKeys = 10_000

export interface SealerKeys {
  /** Key-encryption keys by id; `current` wraps new data keys, the others still unwrap. */
  readonly wrapping: { readonly current: string; readonly keys: Readonly<Record<string, Uint8Array>> }
  /** Blind-index key and its version, which stands in front of each index. */
  readonly index: { readonly version: number; readonly key: Uint8Array }
}

/** Sealed text is `1.<base64url of iv ‖ ciphertext ‖ mac>`; a wrapped key is `1.<key id>.<the same>`. */
export function createSoftwareSealer(keys: SealerKeys): Sealer {
  const wrapping = new Map(Object.entries(keys.wrapping.keys).map(([id, key]) => [id, envelopeKey(key)]))
  const unwrapped = new Map<string, EnvelopeKey>()
  const indexKey = createSecretKey(keys.index.key)

  const wrappingKey = (id: string): EnvelopeKey => {
    const key = wrapping.get(id)
    if (!key) throw new AppError('sealed_value_invalid', { detail: `wrapping key ${id} is not here` })
    return key
  }

  /** Keeps the keys used last; a person signing in uses his several times in a row. */
  const dataKey = (wrapped: WrappedKey, context: string): EnvelopeKey => {
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
    const key = envelopeKey(decrypt(wrappingKey(id), text, `key|${id}|${context}`))
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
