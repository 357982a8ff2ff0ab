/** A key as a JWK in a file of its own: one line, readable by nobody else where it is private. */
import { importJWK, type JWK } from 'jose'
import { readSecret, secretRefusal } from './secret-file.ts'

/** @throws AppError `key_invalid` naming the file and what to do */
export function readJwk(file: string): JWK {
  const text = readSecret(file)
  try {
    const jwk = JSON.parse(text) as JWK
    if (typeof jwk.kty === 'string') return jwk
  } catch {
    // Said below; the parser's message quotes the text.
  }
  throw secretRefusal(file, 'must hold a JWK, on one line')
}

/** The private key and what a header says of it. @throws AppError `key_invalid` where it does not sign by `alg` */
export async function signingKey(file: string, alg: string) {
  const jwk = readJwk(file)
  const key = await importJWK(jwk, alg).catch((cause: unknown) => {
    throw secretRefusal(file, `is no key of ${alg}`, cause)
  })
  return { key, header: { alg, ...(jwk.kid === undefined ? {} : { kid: jwk.kid }) } }
}
