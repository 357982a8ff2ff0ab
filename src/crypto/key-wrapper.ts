/**
 * Port: wraps data keys under a key-encryption key that never leaves it (envelope encryption). Wrapping keys have ids;
 * the current one wraps, the others still unwrap, until nothing is wrapped under them any more.
 */

/** A data key, wrapped under the key-encryption key; safe to store. It names the wrapping key it is under. */
export type WrappedKey = string

export interface KeyWrapper {
  /** Under the current wrapping key. @param context binds the key to what it is for, e.g. `person:<id>` */
  wrap(dataKey: Uint8Array, context: string): Promise<WrappedKey>
  /** @throws AppError `sealed_value_invalid` where the wrapping or its context was changed, or its key is not here */
  unwrap(wrapped: WrappedKey, context: string): Promise<Buffer>
  /** Is it wrapped under the current key? One that is not is wrapped anew in the background. */
  isCurrent(wrapped: WrappedKey): Promise<boolean>
}
