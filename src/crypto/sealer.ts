/**
 * Sealing of personal data at rest and its blind indexes (DESIGN D6), over whatever holds the wrapping and index keys:
 * data keys are unwrapped by it and used in this process. `context` binds a value to its place (`person.name`,
 * `person.document.number` …): a value moved to another column or another person does not open.
 */
import { randomBytes } from 'node:crypto'
import { AppError } from '#src/errors.ts'
import { decrypt, encrypt, envelopeKey, type EnvelopeKey } from './envelope.ts'
import type { WrappedKey } from './key-wrapper.ts'
import type { IndexKey, Keys } from './keys.ts'

export type { WrappedKey }

/** The kinds of field that are looked up; each has its own domain inside the index key. */
export type IndexField = 'document' | 'phone'

export interface Sealer {
  /** @param context what the key is for, e.g. `person:<id>`; it must be given again to use the key */
  newDataKey(context: string): Promise<WrappedKey>
  /** The data key under the current wrapping key; undefined where it is under that one already. */
  rewrap(key: WrappedKey, keyContext: string): Promise<WrappedKey | undefined>
  /** @returns `1.<base64url of iv ‖ ciphertext ‖ mac>` */
  seal(key: WrappedKey, keyContext: string, plain: string, context: string): Promise<string>
  /** @throws AppError `sealed_value_invalid` where the value, its key or its place was changed */
  open(key: WrappedKey, keyContext: string, sealed: string, context: string): Promise<string>
  /**
   * Keyed hashes of a normalised value, one under each index key in force, newest first: HMAC-SM3, base64url, after the
   * key's version and a dot. A value is stored under all of them and looked up by all of them (DESIGN D6).
   */
  indexes(field: IndexField, normalised: string): Promise<readonly string[]>
  /** The versions of the index keys in force, newest first. */
  indexVersions(): readonly number[]
}

export type SealerKeys = Pick<Keys, 'wrapper' | 'index'>

const keyBytes = 32
const cachedKeys = 10_000

const newestFirst = (keys: readonly IndexKey[]) => keys.toSorted((a, b) => b.version - a.version)

/** The version that an index carries; NaN for what is no index. */
export const indexVersionOf = (index: string): number => Number(/^([1-9]\d*)\./.exec(index)?.[1] ?? NaN)

/** @param keys asked at each use, since keys change while the server runs */
export function createSealer(keys: () => SealerKeys): Sealer {
  const unwrapped = new Map<string, Promise<EnvelopeKey>>()

  /** Keeps the keys used last; a person signing in uses his several times in a row, and they come as one unwrapping. */
  const dataKey = (wrapped: WrappedKey, context: string): Promise<EnvelopeKey> => {
    const name = `${context}|${wrapped}`
    const known = unwrapped.get(name)
    if (known) {
      unwrapped.delete(name)
      unwrapped.set(name, known)
      return known
    }
    const key = keys().wrapper.unwrap(wrapped, context).then(envelopeKey)
    if (unwrapped.size >= cachedKeys) unwrapped.delete(unwrapped.keys().next().value as string)
    unwrapped.set(name, key)
    key.catch(() => {
      if (unwrapped.get(name) === key) unwrapped.delete(name)
    })
    return key
  }

  return {
    newDataKey: (context) => keys().wrapper.wrap(randomBytes(keyBytes), context),
    async rewrap(key, keyContext) {
      const { wrapper } = keys()
      if (await wrapper.isCurrent(key)) return undefined
      return wrapper.wrap(await wrapper.unwrap(key, keyContext), keyContext)
    },
    async seal(key, keyContext, plain, context) {
      return `1.${encrypt(await dataKey(key, keyContext), Buffer.from(plain), context)}`
    },
    async open(key, keyContext, sealed, context) {
      if (!sealed.startsWith('1.')) throw new AppError('sealed_value_invalid', { detail: 'unknown form' })
      return decrypt(await dataKey(key, keyContext), sealed.slice(2), context).toString('utf8')
    },
    indexes: (field, normalised) =>
      Promise.all(
        newestFirst(keys().index).map(async ({ version, mac }) => {
          return `${version}.${(await mac(`yihao|index|${field}|${normalised}`)).toString('base64url')}`
        }),
      ),
    indexVersions: () => newestFirst(keys().index).map(({ version }) => version),
  }
}
