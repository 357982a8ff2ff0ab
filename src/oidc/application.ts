/**
 * An application (relying party) as its file says it: profile (DESIGN D12), sector, algorithm, addresses, credential,
 * and the claims it is granted, each with its legal basis (D7; PIPL 13, 17, 23, 34–35). What is missing is refused.
 */
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import { isSector } from '#src/identity/subject.ts'

const bilingual = z.strictObject({ zh: z.string().min(1), en: z.string().min(1) })
const date = z.iso.date()

/** The claims Yihao releases and the scope that asks for each (OpenID Connect Core §5.4). */
export const claimScopes = { name: 'profile', phone_number: 'phone', id_number: 'id_number' } as const
export type ReleasedClaim = keyof typeof claimScopes

const grantSchema = z.strictObject({
  claim: z.enum(Object.keys(claimScopes) as [ReleasedClaim, ...ReleasedClaim[]]),
  /** `duty`: the page informs (法定职责); `consent`: the page asks. */
  basis: z.enum(['duty', 'consent']),
  /** Law and article; required for a duty. */
  law: bilingual.optional(),
  purpose: bilingual,
  retention: bilingual,
  approver: z.string().min(1),
  review: date,
})

const uri = z.url({ protocol: /^https?$/ }).refine((text) => !text.includes('#'), 'must have no fragment')

export const applicationSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{1,62}$/, 'must be lower-case letters, digits and hyphens'),
  name: bilingual,
  owner: bilingual,
  profile: z.enum(['high', 'standard']),
  channel: z.string().default('web'),
  /** Fixed for ever: the citizen's pairwise subject hangs on it. */
  sector: z.string().refine(isSector, 'must be a lower-case host-like name'),
  /** The level every sign-in for it must reach. */
  level: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]),
  /** What signs its ID tokens, logout tokens and userinfo. */
  algorithm: z.enum(['SGD_SM3_SM2', 'ES256', 'RS256']),
  /** Under a mixed policy an application without SM algorithms says why and until when (DESIGN D17). */
  exception: z.strictObject({ reason: bilingual, until: date }).optional(),
  redirectUris: z.array(uri).min(1),
  postLogoutRedirectUris: z.array(uri).default([]),
  backchannelLogoutUri: uri.optional(),
  credential: z.union([
    /** SM3 of a shared secret of at least 256 random bits, hex; the secret itself is never stored. */
    z.strictObject({ secretSm3: z.string().regex(/^[0-9a-f]{64}$/) }),
    /** A file that holds the secret; read when the store is seeded. */
    z.strictObject({ secretFile: z.string().min(1) }),
    z.strictObject({ jwks: z.strictObject({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) }) }),
    /** A file that holds the application's public keys as a JWK set. */
    z.strictObject({ jwksFile: z.string().min(1) }),
  ]),
  grants: z.array(grantSchema).default([]),
  demo: z.boolean().default(false),
})

export type Application = z.infer<typeof applicationSchema>
export type ClaimGrant = Application['grants'][number]

const yearMs = 366 * 86_400_000
const isLocal = (address: string) => ['localhost', '127.0.0.1', '[::1]'].includes(new URL(address).hostname)

/** The rules that span several members, as `path: what is wrong`. */
function faultsOf(application: Application, policy: { readonly smOnly: boolean; readonly now: number }): string[] {
  const faults: string[] = []
  const addresses = [
    ...application.redirectUris,
    ...application.postLogoutRedirectUris,
    ...(application.backchannelLogoutUri ? [application.backchannelLogoutUri] : []),
  ]
  for (const address of addresses) {
    if (!address.startsWith('https:') && !(application.demo && isLocal(address))) {
      faults.push(`${address}: must be https`)
    }
  }
  const secret = 'secretSm3' in application.credential || 'secretFile' in application.credential
  if (application.profile === 'high' && secret) faults.push('credential: the profile high needs jwks, not a secret')
  if (application.profile === 'standard' && application.level > 2) faults.push('level: above 2 needs the profile high')
  if (application.algorithm !== 'SGD_SM3_SM2') {
    if (policy.smOnly) faults.push('algorithm: only SGD_SM3_SM2 under crypto.policy sm-only')
    else if (!application.exception) faults.push('exception: say why no SM algorithm, and until when')
    else if (Date.parse(application.exception.until) < policy.now) faults.push('exception.until: is past')
  }
  const claims = application.grants.map(({ claim }) => claim)
  if (new Set(claims).size !== claims.length) faults.push('grants: a claim stands twice')
  for (const grant of application.grants) {
    if (grant.claim === 'id_number' && application.profile !== 'high')
      faults.push('grants.id_number: needs the profile high')
    if (grant.basis === 'duty' && !grant.law) faults.push(`grants.${grant.claim}.law: a duty names its law and article`)
    if (Date.parse(grant.review) > policy.now + yearMs)
      faults.push(`grants.${grant.claim}.review: at most 12 months ahead`)
  }
  return faults
}

/**
 * @param policy what the deployment allows, and the time in milliseconds
 * @throws AppError `config_invalid` naming the application and every fault
 */
export function parseApplication(
  input: unknown,
  policy: { readonly smOnly: boolean; readonly now: number },
): Application {
  const parsed = applicationSchema.safeParse(input)
  const faults = parsed.success
    ? faultsOf(parsed.data, policy)
    : parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`)
  if (!parsed.success || faults.length > 0) {
    const id = typeof input === 'object' && input !== null && 'id' in input ? String(input.id) : '(no id)'
    throw new AppError('config_invalid', { detail: `application ${id}:\n  ${faults.join('\n  ')}` })
  }
  return parsed.data
}

/** The grants in force: one whose review date is past is none. */
export function grantsInForce(application: Application, now: number): readonly ClaimGrant[] {
  return application.grants.filter(({ review }) => Date.parse(review) + 86_400_000 > now)
}
