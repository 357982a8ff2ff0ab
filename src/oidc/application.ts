/**
 * An application (relying party) as its file says it: profile (DESIGN D12), sector, algorithm, addresses, credential,
 * and the claims it is granted, each with its legal basis (D7; PIPL 13, 17, 23, 34–35). What is missing is refused.
 */
import type { JWK } from 'jose'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import { isSector } from '#src/identity/subject.ts'
import { isCertificate } from './client-certificates.ts'
import { isClientKeySet } from './client-keys.ts'
import { dialectSchema, standardKeys } from './dialect.ts'
import { contentEncryption, encryptable, isEncryptionKey, keyManagement, type KeyManagement } from './encryption.ts'
import { profileNames, profileOf } from './profile.ts'

const bilingual = z.strictObject({ zh: z.string().min(1), en: z.string().min(1) })
const date = z.iso.date()

/**
 * The claims Yihao releases and the scope that asks for each (OpenID Connect Core §5.4). Less is offered first: whether
 * somebody is of age or real says less than who he is (PAGES "What is told, what is asked").
 */
export const claimScopes = {
  age_over_18: 'age_over_18',
  real_name: 'real_name',
  id_number_masked: 'id_number_masked',
  name: 'profile',
  phone_number: 'phone',
  id_number: 'id_number',
} as const
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

/** Scripts and files are never addresses of an application, whatever a profile allows. */
const uri = z
  .string()
  .refine(
    (text) => URL.canParse(text) && !/^(javascript|data|vbscript|blob|file|about):/i.test(text),
    'must be an address',
  )
  .refine((text) => !text.includes('#'), 'must have no fragment')
  .refine((text) => !text.includes('*'), 'must be one address, not a pattern')

const pem = z.string().refine(isCertificate, 'must be a certificate in PEM')

/** `C=CN, O=公积金中心, CN=housing-fund`, in the order of the certificate. */
const subject = z.string().min(1).optional()

/** What signs for an application; the first is the domestic one. */
const signatures = ['SGD_SM3_SM2', 'ES256', 'RS256'] as const

const apiSchema = z.strictObject({
  /** Its resource indicator, which becomes the audience. */
  resource: uri,
  scopes: z.array(z.string().regex(/^[!#-[\]-~]+$/, 'must be a scope (RFC 6749 §3.3)')).min(1),
  algorithm: z.enum(signatures).default('SGD_SM3_SM2'),
})

const applicationSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{1,62}$/, 'must be lower-case letters, digits and hyphens'),
  name: bilingual,
  owner: bilingual,
  profile: z.enum(profileNames),
  channel: z.string().default('web'),
  /** Fixed for ever: the citizen's pairwise subject hangs on it. */
  sector: z.string().refine(isSector, 'must be a lower-case host-like name'),
  /** The level every sign-in for it must reach. */
  level: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]),
  /** What signs its ID tokens, logout tokens and userinfo. */
  algorithm: z.enum(signatures),
  /** Where its library calls SM2 otherwise than GM/T 0125. */
  dialect: dialectSchema.optional(),
  /** Under a mixed policy an application that uses other algorithms than SM says why and until when (DESIGN D17). */
  exception: z.strictObject({ reason: bilingual, until: date }).optional(),
  /** When a `legacy` application will have changed. */
  legacyUntil: date.optional(),
  /** Userinfo as a signed JWT, or as JSON for a library that cannot read one. */
  userinfo: z.enum(['signed', 'json']).default('signed'),
  /** What is encrypted to the application's own key after it was signed (JWE nested JWT, RFC 7519 §11.2). */
  encryption: z
    .strictObject({
      alg: z.enum(Object.keys(keyManagement) as [KeyManagement, ...KeyManagement[]]),
      enc: z.enum(contentEncryption),
      of: z.array(z.enum(encryptable)).min(1),
    })
    .optional(),
  /** It sends signed requests only (JAR, RFC 9101). */
  signedRequests: z.boolean().default(false),
  /** It takes signed answers only (JARM). */
  signedResponses: z.boolean().default(false),
  /** APIs of its own sector that it may call with a JWT access token (RFC 8707, RFC 9068). */
  apis: z.array(apiSchema).default([]),
  redirectUris: z.array(uri).min(1),
  postLogoutRedirectUris: z.array(uri).default([]),
  backchannelLogoutUri: uri.optional(),
  credential: z.union([
    /** SM3 of a shared secret of at least 256 random bits, hex; the secret itself is never stored. */
    z.strictObject({ secretSm3: z.string().regex(/^[0-9a-f]{64}$/) }),
    /** A file that holds the secret; read when the store is seeded. */
    z.strictObject({ secretFile: z.string().min(1) }),
    z.strictObject({ jwks: z.strictObject({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) }) }),
    /** Where the application publishes its keys, so that it can change them by itself. */
    z.strictObject({ jwksUri: uri }),
    /** A file that holds the application's public keys as a JWK set. */
    z.strictObject({ jwksFile: z.string().min(1) }),
    /** An app on a phone or a page without a server: it can keep no secret. */
    z.strictObject({ none: z.literal(true) }),
  ]),
  /** Its keys count only with a certificate (`x5c`) of this subject that leads to one of these roots. */
  trust: z
    .union([
      z.strictObject({ roots: z.array(pem).min(1), subject }),
      z.strictObject({ rootsFile: z.string().min(1), subject }),
    ])
    .optional(),
  grants: z.array(grantSchema).default([]),
  /** Nobody signs in, and no token of it works, until this is taken out again. */
  suspended: z.boolean().default(false),
  demo: z.boolean().default(false),
})

export type Application = z.infer<typeof applicationSchema>
/** As a file says it, before the defaults. */
export type ApplicationInput = z.input<typeof applicationSchema>
export type ClaimGrant = Application['grants'][number]

/** What the deployment allows, and the time in milliseconds. */
export interface ApplicationPolicy {
  readonly smOnly: boolean
  readonly production: boolean
  readonly now: number
}

/** Scopes that mean something here, which no API may give another meaning. */
const ownScopes: ReadonlySet<string> = new Set(['openid', 'offline_access', ...Object.values(claimScopes)])

const dayMs = 86_400_000
const yearMs = 366 * dayMs
const past = (day: string, now: number) => Date.parse(day) + dayMs <= now
const isLocal = (address: string) => ['localhost', '127.0.0.1', '[::1]'].includes(new URL(address).hostname)

const credentialWords = { key: 'keys (jwks, jwksFile or jwksUri)', secret: 'a secret', none: 'none' } as const

function credentialKind({ credential }: Application): 'key' | 'secret' | 'none' {
  if ('none' in credential) return 'none'
  return 'jwks' in credential || 'jwksFile' in credential || 'jwksUri' in credential ? 'key' : 'secret'
}

/** Web addresses are https; an app's may be its own scheme (RFC 8252 §7.1, reverse domain) or the loopback (§7.3). */
function* addressFaults(application: Application): Iterable<string> {
  const native = profileOf(application).applicationType === 'native'
  const { redirectUris, postLogoutRedirectUris, backchannelLogoutUri, credential } = application
  for (const address of [...redirectUris, ...postLogoutRedirectUris]) {
    const { protocol } = new URL(address)
    if (protocol === 'https:') continue
    if (protocol === 'http:' ? isLocal(address) && (native || application.demo) : native && protocol.includes('.'))
      continue
    yield `${address}: must be https${native ? ', the loopback, or an own scheme such as cn.gov.example.app:' : ''}`
  }
  const calledByUs = [backchannelLogoutUri, 'jwksUri' in credential ? credential.jwksUri : undefined]
  for (const address of [...calledByUs, ...application.apis.map(({ resource }) => resource)]) {
    if (address && !/^https:/.test(address) && !(application.demo && isLocal(address)))
      yield `${address}: must be https`
  }
}

/** What an application does with keys of its own needs such keys; and under `sm-only` nothing but SM is used. */
function* keyFaults(application: Application, smOnly: boolean): Iterable<string> {
  const { credential, encryption, signedRequests, apis } = application
  const keyed = credentialKind(application) === 'key'
  const set = 'jwks' in credential ? standardKeys(credential.jwks, application.dialect ?? {}) : undefined
  const keys = (set as { readonly keys: readonly JWK[] } | undefined)?.keys ?? []
  if (set && !isClientKeySet(set))
    yield 'credential.jwks: must be public keys only, each of them whole and on a curve known here'
  else if (set && encryption && !keys.some((key) => isEncryptionKey(key, encryption.alg)))
    yield `encryption.alg: none of its keys is one for ${encryption.alg} (without "use" and "alg", or with "enc" and that)`
  if (application.trust && !keyed) yield 'trust: needs keys of the application'
  if (application.trust && 'jwksUri' in credential && application.trust.subject === undefined)
    yield 'trust.subject: say whose certificate, since the authority certifies others as well'
  if (encryption && !keyed) yield 'encryption: needs keys of the application'
  if (application.dialect && application.algorithm !== 'SGD_SM3_SM2') yield 'dialect: is of SGD_SM3_SM2 only'
  if (signedRequests && !keyed) yield 'signedRequests: needs keys of the application'
  if (encryption && smOnly && !keyManagement[encryption.alg].sm)
    yield 'encryption.alg: only SGD_SM2_3 under crypto.policy sm-only'
  if (encryption && keyManagement[encryption.alg].sm !== (encryption.enc === 'SGD_SM4_GCM'))
    yield 'encryption.enc: SGD_SM2_3 goes with SGD_SM4_GCM, and no other does'
  if (encryption?.of.includes('userinfo') && application.userinfo === 'json')
    yield 'userinfo: what is encrypted is signed first'
  if (smOnly && apis.some(({ algorithm }) => algorithm !== 'SGD_SM3_SM2'))
    yield 'apis.algorithm: only SGD_SM3_SM2 under crypto.policy sm-only'
  const resources = apis.map(({ resource }) => resource)
  if (new Set(resources).size !== resources.length) yield 'apis: a resource stands twice'
  const own = apis.flatMap(({ scopes }) => scopes).find((scope) => ownScopes.has(scope))
  if (own !== undefined) yield `apis.scopes: ${own} is a scope of Yihao itself`
}

function* grantFaults(application: Application, now: number): Iterable<string> {
  const claims = application.grants.map(({ claim }) => claim)
  if (new Set(claims).size !== claims.length) yield 'grants: a claim stands twice'
  for (const { claim, basis, law, review } of application.grants) {
    if (claim === 'id_number' && !profileOf(application).idNumber) yield 'grants.id_number: needs the profile high'
    if (basis === 'duty' && !law) yield `grants.${claim}.law: a duty names its law and article`
    if (Date.parse(review) > now + yearMs) yield `grants.${claim}.review: at most 12 months ahead`
  }
}

/** In what is signed for it, for the APIs it calls, and encrypted to it. */
const usesSmAlone = ({ algorithm, apis, encryption }: Application): boolean =>
  [algorithm, ...apis.map((api) => api.algorithm)].every((name) => name === 'SGD_SM3_SM2') &&
  (encryption === undefined || keyManagement[encryption.alg].sm)

/** The rules that span several members, as `path: what is wrong`. */
function* faultsOf(application: Application, { smOnly, production, now }: ApplicationPolicy): Iterable<string> {
  const profile = profileOf(application)
  yield* addressFaults(application)
  yield* grantFaults(application, now)
  yield* keyFaults(application, smOnly)
  if (production && application.demo) yield 'demo: the demo applications have no place in production'
  if (!profile.credentials.includes(credentialKind(application))) {
    yield `credential: the profile ${application.profile} takes ${profile.credentials.map((kind) => credentialWords[kind]).join(' or ')}`
  }
  if (application.level > profile.top) yield `level: above ${profile.top} needs the profile high`
  if (profile.withoutPkce && !application.legacyUntil) yield 'legacyUntil: say when it will have changed'
  if (application.legacyUntil && past(application.legacyUntil, now)) yield 'legacyUntil: is past'
  if (smOnly && application.algorithm !== 'SGD_SM3_SM2') yield 'algorithm: only SGD_SM3_SM2 under crypto.policy sm-only'
  if (smOnly || usesSmAlone(application)) return
  if (!application.exception) yield 'exception: say why no SM algorithm, and until when'
  else if (past(application.exception.until, now)) yield 'exception.until: is past'
}

function sentenceOf({ code, message }: z.core.$ZodIssue): string {
  if (message.endsWith('received undefined')) return 'is missing'
  // Of the members only `credential` and `trust` are one of several forms.
  return code === 'invalid_union' ? 'has none of its forms (config/applications/README.md)' : message
}

/** @throws AppError `config_invalid` naming the application and every fault */
export function parseApplication(input: unknown, policy: ApplicationPolicy): Application {
  const parsed = applicationSchema.safeParse(input)
  const faults = parsed.success
    ? [...faultsOf(parsed.data, policy)]
    : parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${sentenceOf(issue)}`)
  if (!parsed.success || faults.length > 0) {
    const id = typeof input === 'object' && input !== null && 'id' in input ? String(input.id) : '(no id)'
    throw new AppError('config_invalid', { detail: `application ${id}:\n  ${faults.join('\n  ')}` })
  }
  return parsed.data
}

/** The grants in force: one whose review date is past is none. */
export function grantsInForce(application: Application, now: number): readonly ClaimGrant[] {
  return application.grants.filter(({ review }) => !past(review, now))
}

/**
 * May it be used now? A suspended one may not, nor one whose time as an exception or a legacy is up, nor one that needs
 * more than SM and was stored before the policy became `sm-only`.
 */
export function inService(application: Application, { smOnly, now }: Omit<ApplicationPolicy, 'production'>): boolean {
  const { suspended, exception, legacyUntil } = application
  if (suspended || (smOnly && !usesSmAlone(application))) return false
  return ![exception?.until, legacyUntil].some((day) => day !== undefined && past(day, now))
}
