/** The `KeyWrapper` over wrapping keys held in this process's memory: SM4-CTR and HMAC-SM3 as in `envelope.ts`. */
import { AppError } from '#src/errors.ts'
import { decrypt, encrypt, envelopeKey, type EnvelopeKey } from './envelope.ts'
import { wrappingKeyOf, type KeyWrapper } from './key-wrapper.ts'

export interface WrappingKeys {
  /** Id of the one that wraps. */
  readonly current: string
  /** By id, 32 random bytes each. */
  readonly keys: Readonly<Record<string, Uint8Array>>
}

/** A wrapped key is `1.<key id>.<base64url of iv ‖ ciphertext ‖ mac>`. */
export function createSoftwareKeyWrapper({ current, keys }: WrappingKeys): KeyWrapper {
  const byId = new Map(Object.entries(keys).map(([id, key]) => [id, envelopeKey(key)]))

  const wrappingKey = (id: string): EnvelopeKey => {
    const key = byId.get(id)
    if (!key) throw new AppError('sealed_value_invalid', { detail: `wrapping key ${id} is not here` })
    return key
  }
  const boundTo = (id: string, context: string): string => `key|${id}|${context}`

  return {
    async wrap(dataKey, context) {
      return `1.${current}.${encrypt(wrappingKey(current), dataKey, boundTo(current, context))}`
    },
    async unwrap(wrapped, context) {
      const [version, id, text, ...more] = wrapped.split('.')
      if (version !== '1' || !id || !text || more.length > 0)
        throw new AppError('sealed_value_invalid', { detail: 'not a wrapped key' })
      return decrypt(wrappingKey(id), text, boundTo(id, context))
    },
    isCurrent: async (wrapped) => wrappingKeyOf(wrapped) === current,
  }
}
