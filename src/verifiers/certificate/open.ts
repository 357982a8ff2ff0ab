/** The certificate verifier of the settings: its authorities read from their files, their lists from their addresses. */
import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Config } from '#src/config.ts'
import { AppError } from '#src/errors.ts'
import { pemBody } from '#src/jose/pem.ts'
import { readCertificate, type Certificate } from '#src/jose/x509-certificate.ts'
import type { BreakerLimits } from '#src/peers/breaker.ts'
import { getBytes } from '#src/peers/registered-address.ts'
import type { Macs } from '../binder.ts'
import { guarded } from '../guard.ts'
import type { Verifier } from '../verifier.ts'
import { createCertificateVerifier, type Authority } from './index.ts'
import { createListSource } from './list-source.ts'
import { createRevocation, leftAlone } from './revocation.ts'

type Settings = NonNullable<Config['verifiers']['certificate']>
type AuthoritySettings = Settings['authorities'][number]
type CrlSettings = AuthoritySettings['crl']

/** A list of megabytes may take this long; nobody waits for so long (`waitMs`). */
const fetchMs = 30_000
/** Less than the guard's deadline, so that the reason is told. */
const waitMs = 4_000

const isWeb = (address: string): boolean => /^https?:\/\//i.test(address)

async function fetchList(address: string, { addresses, hosts, maxBytes }: CrlSettings): Promise<Buffer> {
  if (!isWeb(address)) {
    if ((await stat(resolve(address))).size > maxBytes) throw new Error('the revocation list is too long')
    return readFile(resolve(address))
  }
  // Named by the settings, either itself or its host: it may be inside the government network, and plain, since it is signed.
  const internalHosts = [...hosts, ...addresses.filter(isWeb).map((one) => new URL(one).host)]
  const { bytes } = await getBytes(address, 'application/pkix-crl', maxBytes, { internalHosts, timeoutMs: fetchMs })
  return bytes
}

function certificateIn(file: string): Certificate {
  try {
    return readCertificate(pemBody(readFileSync(resolve(file), 'utf8').trim(), 'CERTIFICATE', 'not PEM'))
  } catch (cause) {
    const detail = `verifiers.certificate.authorities: ${file} cannot be read as one certificate in PEM`
    throw new AppError('config_invalid', { detail, cause })
  }
}

function openAuthority(
  { file, intermediates, hardware, level, crl, subject }: AuthoritySettings,
  limits: BreakerLimits,
): Authority {
  const root = certificateIn(file)
  const between = intermediates.map(certificateIn)
  const open = (address: string) =>
    createListSource({ fetch: () => fetchList(address, crl), refreshMs: crl.refresh * 1000 })
  const hosts = crl.hosts.map((host) => host.toLowerCase())
  const lists = createRevocation({ ...crl, hosts, trusted: [root, ...between], open, waitMs })
  const revocation = leftAlone(lists, limits)
  return { root, intermediates: between, hardware, level, revocation, rules: subject }
}

type Parts = Pick<Config, 'issuer' | 'verifiers' | 'crypto'>

/** @throws AppError `config_invalid` where there are no settings, or naming the file that is no certificate */
export function openCertificateVerifier({ issuer, verifiers, crypto }: Parts, macs: Macs): Verifier {
  const settings = verifiers.certificate
  if (!settings) throw new AppError('config_invalid', { detail: 'verifiers.certificate: is missing' })
  const { validity, agent, breaker } = settings
  const limits = { failures: breaker.failures, pauseMs: breaker.pause * 1000 }
  const authorities = settings.authorities.map((one) => openAuthority(one, limits))
  const smOnly = crypto.policy === 'sm-only'
  // Nothing but its authorities' lists can break, and each of these has a breaker of its own.
  const noBreaker = { failures: Infinity, pauseMs: 0 }
  return guarded(createCertificateVerifier({ issuer, macs, authorities, validity, agent, smOnly }), noBreaker)
}
