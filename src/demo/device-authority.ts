/**
 * A small authority of SM2 device certificates for the demo city, where no openssl may be assumed. A city has its own
 * authority; this one forgets its key at once, and so certifies one device.
 */
import { createAuthority, toPem } from './certificate-authority.ts'
import { createCertifiedKey } from './certificate-keys.ts'

export interface Device {
  /** The authority's certificate, PEM. */
  readonly root: string
  /** PKCS#8, PEM. */
  readonly key: string
  /** PEM. */
  readonly certificate: string
}

const day = 86_400_000

export async function newDevice(name: string): Promise<Device> {
  const [root, device] = [await createCertifiedKey('sm2'), await createCertifiedKey('sm2')]
  const dates = { notBefore: Date.now() - day, notAfter: Date.now() + 3650 * day }
  const authority = createAuthority(root, { subject: [['CN', 'Example City device authority (demo)']], ...dates })
  const certificate = authority.issue({ subject: [['CN', name]], spki: device.spki, ...dates })
  return { root: toPem(authority.certificate), key: `${device.pem.trim()}\n`, certificate: toPem(certificate) }
}
