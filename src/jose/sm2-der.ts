/**
 * SM2 keys in the forms others write: SubjectPublicKeyInfo (RFC 5480) and PKCS#8 with ECPrivateKey (RFC 5915),
 * algorithm id-ecPublicKey with the curve 1.2.156.10197.1.301 of GM/T 0006. Read here and not by Node, so that the
 * fall-back reads the same, and a key of another curve is refused by its name.
 */
import { BIT_STRING, INTEGER, OCTET_STRING, SEQUENCE, take, takeLast } from './der.ts'

const algorithm = Buffer.from('06072a8648ce3d020106082a811ccf5501822d', 'hex')
const spkiPrefix = Buffer.from('3059301306072a8648ce3d020106082a811ccf5501822d03420004', 'hex')
const pkcs8Prefix = Buffer.from('308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420', 'hex')
const pkcs8Middle = Buffer.from('a14403420004', 'hex')
const ATTRIBUTES = 0xa0
const PARAMETERS = 0xa0
const PUBLIC_KEY = 0xa1

/** SPKI of X‖Y. */
export function spkiDer(point: Buffer): Buffer {
  return Buffer.concat([spkiPrefix, point])
}

/** PKCS#8 of d, with its public key inside. */
export function pkcs8Der(d: Buffer, point: Buffer): Buffer {
  return Buffer.concat([pkcs8Prefix, d, pkcs8Middle, point])
}

/**
 * X‖Y of an SM2 SPKI; the point must be uncompressed. Whether it lies on the curve is not checked here.
 * @throws TypeError where it is anything else
 */
export function pointFromSpki(der: Buffer): Buffer {
  if (der.length !== spkiPrefix.length + 64 || !der.subarray(0, spkiPrefix.length).equals(spkiPrefix))
    throw new TypeError('not an SM2 public key in SPKI form')
  return der.subarray(spkiPrefix.length)
}

/**
 * d of an SM2 PKCS#8 private key, and X‖Y where the file carries it (not yet compared with d).
 * @throws TypeError where it is anything else
 */
export function privateFromPkcs8(der: Buffer): { readonly d: Buffer; readonly point?: Buffer } {
  const [version, afterVersion] = take(INTEGER, takeLast(SEQUENCE, der))
  const [name, afterName] = take(SEQUENCE, afterVersion)
  if (!version.equals(Buffer.of(0)) || !name.equals(algorithm)) throw new TypeError('not an SM2 private key')
  const [ecPrivateKey, attributes] = take(OCTET_STRING, afterName)
  if (attributes.length > 0) takeLast(ATTRIBUTES, attributes)
  const [ecVersion, afterEcVersion] = take(INTEGER, takeLast(SEQUENCE, ecPrivateKey))
  const [d, afterD] = take(OCTET_STRING, afterEcVersion)
  if (!ecVersion.equals(Buffer.of(1)) || d.length !== 32) throw new TypeError('not an SM2 private key')
  const rest = afterD[0] === PARAMETERS ? take(PARAMETERS, afterD)[1] : afterD
  if (rest.length === 0) return { d }
  const bits = takeLast(BIT_STRING, takeLast(PUBLIC_KEY, rest))
  if (bits.length !== 66 || bits[0] !== 0 || bits[1] !== 4) throw new TypeError('not an uncompressed SM2 public key')
  return { d, point: bits.subarray(2) }
}
