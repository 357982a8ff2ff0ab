/** Tokens of synthetic citizens and the authority behind them, for the certificate verifier's tests. */
import { createAuthority, newSerial, type Authority, type CertificateRequest } from '#src/demo/certificate-authority.ts'
import { createCertifiedKey, type CertifiedKey, type KeyKind } from '#src/demo/certificate-keys.ts'

const year = 365 * 86_400_000

export interface Token {
  readonly key: CertifiedKey
  readonly serial: Buffer
  /** DER. */
  readonly certificate: Buffer
}

export interface TestAuthority extends Authority {
  readonly key: CertifiedKey
  token(request?: Partial<CertificateRequest> & { kind?: KeyKind; key?: CertifiedKey }): Promise<Token>
  /** An authority below this one. */
  below(name: string, request?: Partial<CertificateRequest>): Promise<TestAuthority>
}

export const citizen = { kind: 'resident-id-card', number: '690101199203051010', name: '刘䶮' } as const

export const subjectOfCitizen = [
  ['C', 'CN'],
  ['CN', citizen.name],
  ['serialNumber', citizen.number],
] as const

function around(key: CertifiedKey, name: string, now: number, kept?: Buffer): TestAuthority {
  const validity = { notBefore: now - year, notAfter: now + 5 * year }
  const authority = createAuthority(key, { subject: [['CN', name]], ...validity }, kept)
  return {
    ...authority,
    key,
    async token({ kind = 'sm2', key: given, ...request } = {}) {
      const own = given ?? (await createCertifiedKey(kind))
      const serial = request.serial ?? newSerial()
      const usual = { subject: subjectOfCitizen, notBefore: now - year, notAfter: now + year }
      return { key: own, serial, certificate: authority.issue({ ...usual, spki: own.spki, ...request, serial }) }
    },
    async below(belowName, request = {}) {
      const own = await createCertifiedKey('sm2')
      const usual = { subject: [['CN', belowName]] as const, ...validity, spki: own.spki, ca: true }
      return around(own, belowName, now, authority.issue({ ...usual, ...request }))
    },
  }
}

export async function testAuthority(
  now: number,
  kind: KeyKind = 'sm2',
  name = '示例市电子认证',
): Promise<TestAuthority> {
  return around(await createCertifiedKey(kind), name, now)
}

/** The answer of a page whose agent has signed this text. */
export function answerOf(
  text: string,
  { key, certificate }: Token,
  over: Readonly<Record<string, unknown>> = {},
): string {
  const signature = key.sign(Buffer.from(text)).toString('base64')
  return JSON.stringify({ text, certificate: certificate.toString('base64'), chain: [], signature, ...over })
}
