/**
 * How the library of a key's owner speaks: another name for the algorithm, signatures in DER. The key says it once, and
 * every verification with it follows, also inside a library that passes no options on.
 */
import type { KeyInput } from 'jose-upstream'
import { aliased, SM_ALG_ALIASES } from './aliases.ts'
import type { VerifyOptions } from './jws-algorithms.ts'
import { SGD_SM3_SM2 } from './names.ts'
import { isSm2Key, sameSm2Key } from './sm2-key.ts'
import type { Sm2Key } from './sm2-key.ts'

export interface Sm2Dialect {
  /** An alias of SGD_SM3_SM2; tokens go by it alone then. */
  readonly alg?: string | undefined
  readonly sm2Signature?: 'raw' | 'der' | undefined
}

const dialects = new WeakMap<object, Sm2Dialect>()

/**
 * The same key, whose tokens are verified as its dialect says.
 * @throws TypeError for another key, or a name that is no alias of SGD_SM3_SM2
 */
export function speakingSm2Key(key: Sm2Key, dialect: Sm2Dialect): Sm2Key {
  if (!isSm2Key(key)) throw new TypeError('only an SM2 key speaks a dialect')
  if (dialect.alg !== undefined && aliased(SM_ALG_ALIASES, dialect.alg) !== SGD_SM3_SM2)
    throw new TypeError(`"${dialect.alg}" is no other name of ${SGD_SM3_SM2}`)
  const speaking = sameSm2Key(key)
  dialects.set(speaking, dialect)
  return speaking
}

/** The options of a verification with this key: what its caller says counts first. */
export function optionsFor<Options extends VerifyOptions>(
  key: KeyInput | unknown,
  options?: Options,
): Options | undefined {
  const dialect = typeof key === 'object' && key !== null ? dialects.get(key) : undefined
  if (!dialect) return options
  return {
    ...(options as Options),
    algorithms: options?.algorithms ?? [dialect.alg ?? SGD_SM3_SM2],
    sm2Signature: options?.sm2Signature ?? dialect.sm2Signature ?? 'raw',
  }
}
