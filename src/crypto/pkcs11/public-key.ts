/** The public half of a key in a token, from the attributes of its public key object (PKCS#11 2.40 §2.1.2, §2.3.4). */
import { CKA, CKR, CryptokiError } from './cryptoki.ts'

/** Of a JWK (RFC 7518 §6), without name and use. */
export type PublicMembers =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }

const prime256v1 = Buffer.from('06082a8648ce3d030107', 'hex')
const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')

/** The standard wraps the point in a DER OCTET STRING; some tokens give it bare. */
function pointOf(value: Buffer): Buffer | undefined {
  const point = value.length === 67 && value[0] === 0x04 && value[1] === 65 ? value.subarray(2) : value
  return point.length === 65 && point[0] === 0x04 ? point : undefined
}

const withoutZeros = (bytes: Buffer): Buffer =>
  bytes.subarray(
    Math.max(
      0,
      bytes.findIndex((byte) => byte !== 0),
    ),
  )

/** What the key does not have: a key of one kind has no attributes of the other. */
const noSuch = (error: unknown): undefined => {
  if (error instanceof CryptokiError && error.rv === CKR.ATTRIBUTE_TYPE_INVALID) return undefined
  throw error
}

/** Undefined for a key that is neither on P-256 nor an RSA one of 2048 bits or more. */
export async function publicMembersOf(
  attribute: (type: number) => Promise<Buffer>,
): Promise<PublicMembers | undefined> {
  const parameters = await attribute(CKA.EC_PARAMS).catch(noSuch)
  if (parameters) {
    const point = parameters.equals(prime256v1) ? pointOf(await attribute(CKA.EC_POINT)) : undefined
    if (!point) return undefined
    return { kty: 'EC', crv: 'P-256', x: base64url(point.subarray(1, 33)), y: base64url(point.subarray(33)) }
  }
  const modulus = await attribute(CKA.MODULUS).catch(noSuch)
  if (!modulus) return undefined
  const n = withoutZeros(modulus)
  if (n.length < 256) return undefined
  return { kty: 'RSA', n: base64url(n), e: base64url(withoutZeros(await attribute(CKA.PUBLIC_EXPONENT))) }
}
