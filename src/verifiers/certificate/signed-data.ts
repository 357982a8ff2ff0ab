/**
 * A SignedData (RFC 5652 §5; GM/T 0010 for SM2) of one signer without attributes, as middleware returns it: taken apart
 * into what is judged like any other answer. In DER; what is signed by way of attributes is not read.
 */
import { INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, take, takeLast } from '#src/jose/der.ts'
import { readCertificate, takeOptional, takeWhole, type Certificate } from '#src/jose/x509-certificate.ts'

export interface SignedData {
  readonly certificate: Certificate
  readonly chain: readonly Certificate[]
  readonly signature: Buffer
}

const SET = 0x31
const CONTENT = 0xa0
const CERTIFICATES = 0xa0
const maxCertificates = 5

/** signedData and data, of PKCS#7 (1.2.840.113549.1.7) and of GM/T 0010 (1.2.156.10197.6.1.4.2), the content in hex. */
const types: Readonly<Record<string, string>> = {
  '2a864886f70d010702': '2a864886f70d010701',
  '2a811ccf550601040202': '2a811ccf550601040201',
}

const refuse = (why: string): never => {
  throw new TypeError(`signed data: ${why}`)
}

/**
 * @param text what must have been signed, whether it comes along or not
 * @throws TypeError where it is anything else
 */
export function readSignedData(der: Buffer, text: Buffer): SignedData {
  const [type, afterType] = take(OBJECT_IDENTIFIER, takeLast(SEQUENCE, der))
  const dataType = types[type.toString('hex')] ?? refuse('of another type')
  const [version, afterVersion] = take(INTEGER, takeLast(SEQUENCE, takeLast(CONTENT, afterType)))
  if (!version.equals(Buffer.of(1))) refuse('of another version')
  const [, afterDigests] = take(SET, afterVersion)
  const [content, afterContent] = take(SEQUENCE, afterDigests)
  const [name, data] = take(OBJECT_IDENTIFIER, content)
  if (name.toString('hex') !== dataType) refuse('of another content')
  if (data.length > 0 && !takeLast(OCTET_STRING, takeLast(CONTENT, data)).equals(text)) refuse('of another text')
  const [list, afterList] = takeOptional(CERTIFICATES, afterContent)
  // Revocation lists [1] would be the signer's own word on himself; they are none of what is read.
  const { issuer, serial, signature } = readSigner(takeLast(SEQUENCE, takeLast(SET, afterList)))
  const certificates = readCertificates(list ?? refuse('without a certificate'))
  const certificate = certificates.find((one) => one.issuer.equals(issuer) && one.serial === serial)
  if (!certificate) return refuse('without its certificate')
  return { certificate, chain: certificates.filter((one) => one !== certificate), signature }
}

function readCertificates(list: Buffer): readonly Certificate[] {
  const certificates: Certificate[] = []
  for (let rest = list; rest.length > 0;) {
    const [element, others] = takeWhole(SEQUENCE, rest)
    if (certificates.length === maxCertificates) refuse('of too many certificates')
    certificates.push(readCertificate(element))
    rest = others
  }
  return certificates
}

/** RFC 5652 §5.3, of version 1; the algorithms that it names are those of the key, or the signature does not hold. */
function readSigner(signer: Buffer): { issuer: Buffer; serial: string; signature: Buffer } {
  const [version, afterVersion] = take(INTEGER, signer)
  if (!version.equals(Buffer.of(1))) refuse('of another version')
  const [id, afterId] = take(SEQUENCE, afterVersion)
  const [issuer, afterIssuer] = takeWhole(SEQUENCE, id)
  const serial = takeLast(INTEGER, afterIssuer).toString('hex')
  const [, afterDigest] = take(SEQUENCE, afterId)
  // With attributes [0] there would be no algorithm here.
  const [, afterAlgorithm] = take(SEQUENCE, afterDigest)
  return { issuer, serial, signature: takeLast(OCTET_STRING, afterAlgorithm) }
}
