/**
 * The three kinds of key that certificates of the demo city are about, in software: SM2 as most Chinese authorities
 * issue now, P-256 and RSA 2048 as they did before.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { exportPKCS8, exportSPKI, generateKeyPair, importPKCS8, SGD_SM3_SM2, sm2SignatureToDer, sm2Sign } from 'jose'

export type KeyKind = 'sm2' | 'ec' | 'rsa'

export interface CertifiedKey {
  readonly kind: KeyKind
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer
  /** AlgorithmIdentifier of its signatures, in hex of the whole element. */
  readonly algorithm: string
  /** PKCS#8 in PEM, to be kept. */
  readonly pem: string
  /** SM2 with the default identifier, ECDSA and RSA PKCS#1 v1.5 with SHA-256; those of SM2 and ECDSA in DER. */
  sign(data: Uint8Array): Buffer
}

/** SM2-with-SM3 (1.2.156.10197.1.501), ecdsa-with-SHA256, sha256WithRSAEncryption with its NULL. */
const algorithms = {
  sm2: '300a06082a811ccf55018375',
  ec: '300a06082a8648ce3d040302',
  rsa: '300d06092a864886f70d01010b0500',
} as const

export async function createCertifiedKey(kind: KeyKind): Promise<CertifiedKey> {
  if (kind === 'sm2') {
    const { privateKey, publicKey } = await generateKeyPair(SGD_SM3_SM2, { extractable: true })
    return sm2Key(await exportPKCS8(privateKey), await exportSPKI(publicKey))
  }
  const { privateKey } =
    kind === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return standardKey(kind, privateKey)
}

/** A key that was kept. */
export async function readCertifiedKey(kind: KeyKind, pem: string): Promise<CertifiedKey> {
  if (kind !== 'sm2') return standardKey(kind, createPrivateKey(pem))
  const publicKey = createPublicKey(createPrivateKey(pem))
  return sm2Key(pem, publicKey.export({ type: 'spki', format: 'pem' }).toString())
}

async function sm2Key(pem: string, spki: string): Promise<CertifiedKey> {
  const key = (await importPKCS8(pem.trim(), SGD_SM3_SM2)) as Parameters<typeof sm2Sign>[0]
  return {
    ...{ kind: 'sm2', algorithm: algorithms.sm2, pem },
    spki: Buffer.from(spki.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64'),
    sign: (data) => sm2SignatureToDer(sm2Sign(key, data)),
  }
}

function standardKey(kind: 'ec' | 'rsa', key: KeyObject): CertifiedKey {
  return {
    ...{ kind, algorithm: algorithms[kind] },
    pem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    spki: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    sign: (data) => sign('sha256', data, key),
  }
}
