/**
 * The verifier `certificate`: 数字证书, a text signed by the key of a certificate, mostly in a token (UKey). What is proven:
 * whoever answers has that key now; an authority of the settings, which has checked who he is, vouches that it is his.
 *
 * Only a MAC of the text is kept, over attempt, channel and expiry as well, so that none of them can be exchanged.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Certificate } from '#src/jose/x509-certificate.ts'
import { chainFrom, trustedPath } from '#src/jose/x509-chain.ts'
import { faultOf, type CertificateFault } from '#src/jose/x509-fault.ts'
import { isSm2Spki, publicKeyOf } from '#src/jose/x509-signature.ts'
import { createBinder, type Macs } from '../binder.ts'
import type { Claim, Outcome, Verifier } from '../verifier.ts'
import { readAnswer, type Answer } from './answer.ts'
import { challengeText } from './challenge.ts'
import type { Revocation } from './revocation.ts'
import { isSignedBy, kindOf, type KeyKind } from './signature.ts'
import { subjectOf, type SubjectRule } from './subject.ts'

export interface Authority {
  readonly root: Certificate
  readonly intermediates: readonly Certificate[]
  readonly hardware: boolean
  readonly level?: Level | undefined
  readonly revocation: Revocation
  readonly rules: readonly SubjectRule[]
}

interface Dependencies {
  readonly issuer: string
  readonly macs: Macs
  readonly authorities: readonly Authority[]
  /** Seconds. */
  readonly validity: number
  /** Where the signing agent answers. */
  readonly agent: string
  /** Domestic algorithms alone (DESIGN D17). */
  readonly smOnly: boolean
}

const keepSchema = z.object({
  attempt: z.string(),
  channel: z.string(),
  expiresAt: z.number(),
  reference: z.string(),
  mac: z.string(),
})

/** id-kp-clientAuth, 1.3.6.1.5.5.7.3.2: what a certificate must be for where it says what it is for. */
const clientAuth = '2b06010505070302'

/** DESIGN D8: a token's SM2 key 4, another key in a token as a passkey bound to its device, one that is a file as one that syncs. */
const levelOf = ({ level, hardware }: Authority, kind: KeyKind): Level =>
  level ?? (hardware ? (kind === 'sm2' ? 4 : 3) : 2)

const amrOf = ({ hardware }: Authority): string => (hardware ? 'hwk' : 'swk')

const wrong = (detail: string): Outcome => ({ ok: false, reason: 'mismatch', detail })
/** The answer is right, and the certificate proves nothing. @param say what its holder may know, see `Outcome` */
const rejected = (detail: string, say?: string): Outcome => ({
  ...{ ok: false, reason: 'rejected', detail },
  ...(say === undefined ? {} : { say }),
})

/** Its own dates, which stand in it, its holder may be told. */
function datesOf({ notBefore, notAfter }: Certificate, now: number): string | undefined {
  if (now > notAfter) return 'certificate_expired'
  return now < notBefore ? 'certificate_not-yet-valid' : undefined
}

/** The authority that the certificate comes from and its path there, or why there is none. */
function trustOf(
  { certificate, chain }: Answer,
  authorities: readonly Authority[],
  date: number,
): { authority: Authority; path: readonly Certificate[] } | CertificateFault {
  let fault: CertificateFault = 'chain'
  for (const authority of authorities) {
    const { root, intermediates } = authority
    const ordered = chainFrom(
      certificate,
      [...intermediates, ...chain].filter((one) => !one.der.equals(root.der)),
    )
    try {
      return { authority, path: trustedPath(ordered, { roots: [root], date, purpose: clientAuth }) }
    } catch (error) {
      const found = faultOf(error)
      if (!found) throw error
      // What one authority says of its own certificate counts before another's that it is none of its.
      if (found !== 'chain') fault = found
    }
  }
  return fault
}

export function createCertificateVerifier(deps: Dependencies): Verifier {
  const { authorities } = deps
  const binder = createBinder('certificate', deps.macs)
  const partsOf = ({ attempt, channel, expiresAt, reference }: Omit<z.infer<typeof keepSchema>, 'mac'>) =>
    [attempt, channel, expiresAt, reference] as const
  const kinds: readonly KeyKind[] = deps.smOnly ? ['sm2'] : ['sm2', 'ec', 'rsa']

  return {
    name: 'certificate',
    amr: [...new Set(authorities.map(amrOf))],
    cap: Math.max(...authorities.flatMap((one) => kinds.map((kind) => levelOf(one, kind)))) as Level,
    // An answer ends its challenge, right or wrong; the page fetches another.
    tries: 1,
    by: 'device',
    enrolled: true,
    connects: [new URL(deps.agent).origin],
    down: () => authorities.every(({ revocation }) => revocation.down?.() ?? false),

    async begin(claim: Claim) {
      const text = challengeText(deps.issuer, claim)
      const expiresAt = claim.now + deps.validity * 1000
      const bound = { attempt: claim.attempt, channel: claim.channel, expiresAt, reference: randomUUID() }
      for (const { revocation } of authorities) revocation.prepare(claim.now)
      return {
        show: { agent: deps.agent, text },
        keep: { ...bound, mac: await binder.bind(text, ...partsOf(bound)) },
        expiresAt,
      }
    },

    async finish(claim: Claim, keep: unknown, input: unknown) {
      const kept = keepSchema.safeParse(keep).data
      if (!kept || kept.attempt !== claim.attempt || kept.channel !== claim.channel)
        return { ok: false, reason: 'foreign' }
      if (claim.now >= kept.expiresAt) return { ok: false, reason: 'expired' }
      const answer = readAnswer(input)
      if (!answer) return wrong('malformed')
      if (!(await binder.holds(kept.mac, answer.text, ...partsOf(kept)))) return wrong('challenge')

      const trust = trustOf(answer, authorities, claim.now)
      if (typeof trust === 'string') return rejected(trust, datesOf(answer.certificate, claim.now))
      const { authority, path } = trust
      if (deps.smOnly && path.some(({ spki }) => !isSm2Spki(spki))) return rejected('algorithm')
      const kind = kindFor(answer.certificate, kinds)
      if ('fault' in kind) return rejected(kind.fault)
      if (!isSignedBy(kind.key, answer)) return wrong('signature')
      const subject = subjectOf(answer.certificate, authority.rules, claim.now)
      if (typeof subject === 'string') return rejected(subject)

      // Last, since only this asks somebody else: nobody without a good signature reaches a list.
      const standing = await authority.revocation.standing(path, claim.now)
      if (standing === 'revoked') return rejected(standing)
      // The citizen has done nothing wrong; the authority's list is a back end that is broken.
      if (standing !== 'good') throw new AppError('verifier_unavailable', { detail: `certificate: ${standing}` })
      return {
        ok: true,
        evidence: {
          verifier: 'certificate',
          amr: [amrOf(authority)],
          level: levelOf(authority, kind.kind),
          at: claim.now,
          reference: kept.reference,
          subject,
        },
      }
    },
  }
}

type Key = ReturnType<typeof publicKeyOf>

function kindFor(
  certificate: Certificate,
  allowed: readonly KeyKind[],
): { readonly key: Key; readonly kind: KeyKind } | { readonly fault: CertificateFault } {
  try {
    const key = publicKeyOf(certificate)
    const kind = kindOf(key)
    return kind && allowed.includes(kind) ? { key, kind } : { fault: 'algorithm' }
  } catch (error) {
    // A point off the curve has no name of its own.
    return { fault: faultOf(error) ?? 'algorithm' }
  }
}
