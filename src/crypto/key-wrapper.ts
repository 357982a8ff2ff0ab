/**
 * Port: wraps data keys under a wrapping key that never leaves it (envelope encryption). Wrapping keys have ids; the
 * current one wraps, the others still unwrap, until nothing is wrapped under them any more.
 */

/**
 * A data key, wrapped; safe to store. `1.<id of the wrapping key>.<the rest>`: whose it is can be told without unwrapping.
 */
export type WrappedKey = string

export interface KeyWrapper {
  /** Under the current wrapping key. @param context binds the key to what it is for, e.g. `person:<id>` */
  wrap(dataKey: Uint8Array, context: string): Promise<WrappedKey>
  /** @throws AppError `sealed_value_invalid` where the wrapping or its context was changed, or its key is not here */
  unwrap(wrapped: WrappedKey, context: string): Promise<Buffer>
  /** Is it wrapped under the current key? One that is not is wrapped anew in the background. */
  isCurrent(wrapped: WrappedKey): Promise<boolean>
}

/** The id of the wrapping key that a data key is under; empty for what is no wrapped key. */
export const wrappingKeyOf = (wrapped: WrappedKey): string => /^1\.([\w-]+)\./.exec(wrapped)?.[1] ?? ''
