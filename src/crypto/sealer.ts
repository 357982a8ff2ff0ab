/**
 * Port: sealing of personal data at rest and its blind indexes (DESIGN D6). Asynchronous, so that hardware fits.
 * `context` binds a value to its place (`person.name`, `person.document.number` …): a value moved to another
 * column or another person does not open.
 */

import type { WrappedKey } from './key-wrapper.ts'

export type { WrappedKey }

/** The kinds of field that are looked up; each has its own domain inside the index key. */
export type IndexField = 'document' | 'phone'

export interface Sealer {
  /** @param context what the key is for, e.g. `person:<id>`; it must be given again to use the key */
  newDataKey(context: string): Promise<WrappedKey>
  seal(key: WrappedKey, keyContext: string, plain: string, context: string): Promise<string>
  /** @throws AppError `sealed_value_invalid` where the value, its key or its place was changed */
  open(key: WrappedKey, keyContext: string, sealed: string, context: string): Promise<string>
  /** Keyed hash of a normalised value (in software HMAC-SM3, base64url) after the index key's version and a dot. */
  index(field: IndexField, normalised: string): Promise<string>
}
