/**
 * The `Signer` of a key held in this process's memory: SGD_SM3_SM2 (GM/T 0125), ES256 and RS256 (RFC 7518 §3).
 * Not a certified cryptographic module; a cryptographic machine is another implementation of the same port.
 */
import { constants, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import type { JsonWebKeyInput } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, importJWK, SGD_SM3_SM2, SM2_CURVE, sm2Sign, sm2Verify } from 'jose'
import type { JWK, Sm2Key } from 'jose'
import { AppError } from '#src/errors.ts'
import type { PublicJwk, Signer } from './signer.ts'

type Sign = Signer['sign']
type Verify = (input: Uint8Array, signature: Uint8Array) => boolean

const signInPool = promisify(sign)

/**
 * A signer for a private JWK on sm2p256v1 or P-256, or an RSA one of 2048 bits or more; its `kid` is the RFC 7638
 * thumbprint, whatever the JWK says.
 * @throws AppError key_invalid for any other key, and for one whose halves do not belong together
 */
export async function createSoftwareSigner(privateJwk: JWK): Promise<Signer> {
  try {
    const alg = algOf(privateJwk)
    const publicPart = publicMembers(privateJwk)
    const { sign, verify } = alg === SGD_SM3_SM2 ? await sm2(privateJwk, publicPart) : native(alg, privateJwk)
    const probe = Buffer.from('probe')
    if (!verify(probe, await sign(probe))) throw new TypeError('private and public key do not belong together')
    const kid = await calculateJwkThumbprint(publicPart)
    return Object.freeze({ alg, kid, publicJwk: Object.freeze({ ...publicPart, kid, alg, use: 'sig' as const }), sign })
  } catch (cause) {
    throw new AppError('key_invalid', { detail: 'not a usable private signing key', cause })
  }
}

const algOfCurve = new Map([
  [SM2_CURVE as string, SGD_SM3_SM2],
  ['P-256', 'ES256'],
])

function algOf({ kty, crv, d, use, alg }: JWK): string {
  const name = kty === 'RSA' ? 'RS256' : kty === 'EC' ? algOfCurve.get(crv ?? '') : undefined
  if (!name || d === undefined) throw new TypeError('not a private key on sm2p256v1 or P-256, nor an RSA one')
  if ((use ?? 'sig') !== 'sig' || (alg ?? name) !== name) throw new TypeError('the key is for another use')
  return name
}

/** Only the members that make the public key (RFC 7518 §6): nothing a file holds beside them is published. */
function publicMembers({ kty, crv, x, y, n, e }: JWK): Pick<PublicJwk, 'kty'> & JWK {
  return kty === 'RSA' ? { kty, n, e } : { kty: kty ?? '', crv, x, y }
}

async function sm2(privateJwk: JWK, publicJwk: JWK): Promise<{ sign: Sign; verify: Verify }> {
  const privateKey = (await importJWK(privateJwk, SGD_SM3_SM2)) as Sm2Key
  return {
    sign: async (input) => sm2Sign(privateKey, input),
    verify: (input, signature) => sm2Verify(publicJwk, input, signature),
  }
}

function native(alg: string, jwk: JWK): { sign: Sign; verify: Verify } {
  const input: JsonWebKeyInput = { key: { ...jwk }, format: 'jwk' }
  const privateKey = createPrivateKey(input)
  if (alg === 'RS256' && (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
    throw new TypeError('RSA keys have 2048 bits or more')
  const publicKey = createPublicKey({ key: { ...publicMembers(jwk) }, format: 'jwk' })
  const form = alg === 'RS256' ? { padding: constants.RSA_PKCS1_PADDING } : { dsaEncoding: 'ieee-p1363' as const }
  return {
    sign: async (data) => signInPool('sha256', data, { key: privateKey, ...form }),
    verify: (data, signature) => verify('sha256', data, { key: publicKey, ...form }, signature),
  }
}
