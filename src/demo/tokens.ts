/**
 * The tokens (UKey) of the demo city and the authority that issued them: three citizens with a key of SM2, of P-256 and
 * of RSA, and one whose certificate is revoked. Made at the first start and kept beside the other demo credentials.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { castMember, readPopulation } from './cast.ts'
import { createAuthority, newSerial, toPem, type Authority } from './certificate-authority.ts'
import { createCertifiedKey, readCertifiedKey, type CertifiedKey, type KeyKind } from './certificate-keys.ts'

export interface Token {
  /** Its holder's key in the cast. */
  readonly holder: string
  readonly name: string
  readonly revoked: boolean
  readonly serial: Buffer
  /** DER. */
  readonly certificate: Buffer
  readonly key: CertifiedKey
}

export interface Tokens {
  readonly authority: Authority
  readonly tokens: readonly Token[]
}

const holders: readonly { readonly holder: string; readonly kind: KeyKind; readonly revoked: boolean }[] = [
  { holder: 'yan', kind: 'sm2', revoked: false },
  { holder: 'xian', kind: 'ec', revoked: false },
  { holder: 'ayiguli', kind: 'rsa', revoked: false },
  { holder: 'new-owner', kind: 'sm2', revoked: true },
]

/** The certificate that settings name as trusted. */
export const authorityFile = 'authority.pem'
const tokensFile = 'tokens.json'

const self = { subject: [['C', 'CN'] as const, ['CN', '示例市演示电子认证'] as const], notBefore: 0, notAfter: 0 }
const years = (count: number): number => count * 365 * 86_400_000

/** What the file holds, all of it synthetic. */
interface Kept {
  readonly key: string
  readonly certificate: string
  readonly tokens: readonly {
    readonly holder: string
    readonly name: string
    readonly kind: KeyKind
    readonly revoked: boolean
    readonly serial: string
    readonly certificate: string
    readonly key: string
  }[]
}

async function make(now: number): Promise<Kept> {
  const population = await readPopulation()
  const key = await createCertifiedKey('sm2')
  const notBefore = now - 86_400_000
  const authority = createAuthority(key, { ...self, notBefore, notAfter: now + years(20) })
  const tokens = await Promise.all(
    holders.map(async ({ holder, kind, revoked }) => {
      const { name, number } = castMember(population, holder)
      const own = await createCertifiedKey(kind)
      const serial = newSerial()
      const certificate = authority.issue({
        subject: [
          ['C', 'CN'],
          ['CN', name],
          ['serialNumber', number],
        ],
        ...{ spki: own.spki, serial, notBefore, notAfter: now + years(10) },
      })
      return {
        ...{ holder, name, kind, revoked, key: own.pem },
        ...{ serial: serial.toString('hex'), certificate: certificate.toString('base64') },
      }
    }),
  )
  return { key: key.pem, certificate: authority.certificate.toString('base64'), tokens }
}

/** Opens those that are kept in this directory, or makes them. */
export async function openTokens(directory: string, now: number = Date.now()): Promise<Tokens> {
  const file = join(directory, tokensFile)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (!existsSync(file)) writeFileSync(file, JSON.stringify(await make(now)), { mode: 0o600 })
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept
  const certificate = Buffer.from(kept.certificate, 'base64')
  writeFileSync(join(directory, authorityFile), toPem(certificate), { mode: 0o600 })
  const tokens = await Promise.all(
    kept.tokens.map(async ({ holder, name, kind, revoked, ...one }) => ({
      ...{ holder, name, revoked, serial: Buffer.from(one.serial, 'hex') },
      certificate: Buffer.from(one.certificate, 'base64'),
      key: await readCertifiedKey(kind, one.key),
    })),
  )
  return { authority: createAuthority(await readCertifiedKey('sm2', kept.key), self, certificate), tokens }
}

/** The authority's list of now. */
export function currentList({ authority, tokens }: Tokens, now: number): Buffer {
  const revoked = tokens.filter((token) => token.revoked).map(({ serial }) => ({ serial, at: now - years(1) }))
  const thisUpdate = now - 60_000
  return authority.revocationList({ revoked, thisUpdate, nextUpdate: now + 86_400_000, number: Math.floor(now / 1000) })
}
