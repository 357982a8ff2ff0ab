/**
 * The one Configuration of the engine. Everything it decides by default and we decide otherwise stands here
 * (engine traps 4–13; FAPI 2.0 Security Profile for the profile `high`).
 */
import type { EventEmitter } from 'node:events'
import Keygrip from 'keygrip'
import { errors, type Client, type Configuration, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { Recorder } from '#src/audit/recorder.ts'
import { channelNamed, type Channels } from '#src/channels/channel.ts'
import type { Config } from '#src/config.ts'
import type { Decrypter } from '#src/crypto/decrypter.ts'
import type { Mac } from '#src/crypto/mac.ts'
import type { Stated } from '#src/crypto/keys.ts'
import type { Signer } from '#src/crypto/signer.ts'
import type { Pages } from '#src/http/pages.ts'
import { pairwiseSubject } from '#src/identity/subject.ts'
import type { Directory } from '#src/login/directory.ts'
import type { Outbox } from '#src/outbox/outbox.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { createTurns } from '#src/storage/turns.ts'
import { acrValues, claimTable, createFindAccount } from './account.ts'
import { addAuthentication } from './apis.ts'
import { inService } from './application.ts'
import { createAdapter, sessionEnded } from './adapter.ts'
import type { Applications } from './applications.ts'
import { auditEngine } from './audit.ts'
import type { ClaimEnds } from './claim-ends.ts'
import type { SharedSessions } from './shared-sessions.ts'
import type { ClientKeySets } from './client-key-sets.ts'
import { applicationOf, clientMetadata } from './clients.ts'
import { refuseForeignBrowsers, type BrowserBinding } from './browser-binding.ts'
import { sayWhatWorks } from './discovery.ts'
import { explainErrors } from './error-answers.ts'
import { features, isFapi } from './features.ts'
import { loadStandingGrant } from './grants.ts'
import { noticeLater, replaceSelfSubmittingPages } from './logout.ts'
import type { Notices } from './notices.ts'
import { acrFor, createPolicy } from './policy.ts'
import { profileOf } from './profile.ts'
import type { Releases } from './releases.ts'
import { createSmProvider, enabledAlgorithms } from './sm.ts'
import { smKeysMember } from './sm-keys.ts'

/** The endpoints that applications call, beside the pages that citizens see. */
export const protocolPaths = [
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  '/token',
  '/userinfo',
  '/introspect',
  '/revoke',
  '/par',
  '/jwks',
  '/jwks/sm',
] as const

/** The addresses of the engine that a citizen's browser passes or sees. */
export const browserPaths = [
  '/auth',
  '/auth/:uid',
  '/session/end',
  '/session/end/confirm',
  '/session/end/success',
] as const

/** What of the keys the engine uses; each change of them makes another provider. */
export interface ProviderKeys {
  readonly signers: readonly Stated<Signer>[]
  readonly decrypters: readonly Stated<Decrypter>[]
  readonly cookies: readonly Buffer[]
  readonly pairwise: Mac
}

export interface ProviderParts {
  readonly config: Config
  readonly artifacts: SealedArtifacts
  readonly keys: ProviderKeys
  readonly keySets: ClientKeySets
  readonly applications: Applications
  readonly channels: Channels
  readonly notices: Notices
  readonly releases: Releases
  readonly browsers: BrowserBinding
  readonly claimEnds: ClaimEnds
  readonly sharedSessions: SharedSessions
  readonly findPerson: Directory['find']
  readonly recorder: Recorder
  readonly outbox: Outbox
  readonly pages: Pages
  readonly now: () => number
  readonly onFault: (error: unknown) => void
}

/** Where a nonce may stand in for PKCE, one of the two must be there (RFC 9700 §2.1.1). */
function needsPkce(ctx: KoaContextWithOIDC, client: Client): boolean {
  const application = applicationOf(client)
  return !(application && profileOf(application).withoutPkce && ctx.oidc.params?.['nonce'])
}

const seconds = (now: () => number) => Math.floor(now() / 1000)

/** Keys and metadata are public; every other endpoint is closed to scripts of other origins. */
const openToScripts = new Set(['jwks', 'discovery', 'cors.jwks', 'cors.discovery'])

function closeCors(provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next()
    if (openToScripts.has((ctx as KoaContextWithOIDC).oidc?.route)) return
    for (const header of ['origin', 'methods', 'headers']) ctx.remove(`access-control-allow-${header}`)
  })
}

/** Longer than any session lives. */
const sessionMarkMs = 31 * 86_400_000

/** Plain names on http://localhost; prefixes where TLS makes them possible (engine trap 8). */
const cookieNames = (https: boolean) => ({
  session: https ? '__Host-yihao' : 'yihao',
  interaction: https ? '__Secure-yihao-interaction' : 'yihao-interaction',
  resume: https ? '__Secure-yihao-resume' : 'yihao-resume',
})

function cookies(parts: ProviderParts): Configuration['cookies'] {
  const https = parts.config.issuer.startsWith('https:')
  const attributes = { httpOnly: true, sameSite: 'lax', secure: https, signed: true, overwrite: true } as const
  return {
    names: cookieNames(https),
    long: { ...attributes, path: '/' },
    short: attributes,
    keys: new Keygrip(parts.keys.cookies as Buffer[] as never, 'sm3', 'base64'),
  }
}

function ttl({ config, channels, now }: ProviderParts): Configuration['ttl'] {
  const { tokens, login } = config
  return {
    AuthorizationCode: tokens.code,
    AccessToken: tokens.accessToken,
    IdToken: tokens.idToken,
    Interaction: login.attempt,
    // As long as a session may live; the session itself ends first.
    Grant: Math.max(...[...channels.values()].map(({ session }) => session.absolute), tokens.refreshToken),
    // Rolls with use but never past the absolute end (engine trap 4).
    Session: (ctx, session) => {
      const application = applicationOf(ctx.oidc.client)
      const row = channelNamed(channels, application?.channel ?? 'web').session
      const idle = session.transient ? Math.min(row.idle, login.publicComputerIdle) : row.idle
      const left = session.loginTs === undefined ? row.idle : session.loginTs + row.absolute - seconds(now)
      return Math.max(Math.min(idle, left), 1)
    },
    RefreshToken: (_ctx, token) => {
      const born = token.iiat ?? seconds(now)
      return Math.max(Math.min(tokens.refreshTokenIdle, born + tokens.refreshToken - seconds(now)), 1)
    },
  }
}

function configuration(parts: ProviderParts): Configuration {
  const { config, applications, now, pages } = parts
  const grantTurns = createTurns()
  return {
    adapter: createAdapter({
      artifacts: parts.artifacts,
      now,
      findClient: async (id) => {
        const application = await applications.get(id)
        const policy = { smOnly: config.crypto.policy === 'sm-only', now: now() }
        return application && inService(application, policy) ? clientMetadata(application, now()) : undefined
      },
    }),
    cookies: cookies(parts),
    ttl: ttl(parts),
    features: features({ pages, accessToken: config.tokens.accessToken, now }),
    formats: { customizers: { jwt: addAuthentication } },
    discovery: smKeysMember(config.issuer),
    enabledJWA: enabledAlgorithms(config.crypto.policy === 'sm-only'),
    claims: claimTable as NonNullable<Configuration['claims']>,
    acrValues,
    scopes: ['openid'],
    subjectTypes: ['pairwise'],
    pairwiseIdentifier: (_ctx, accountId, client) => {
      const sector = applicationOf(client)?.sector
      if (sector === undefined) throw new errors.InvalidClient('the client is no application')
      return pairwiseSubject(parts.keys.pairwise, sector, accountId)
    },
    sectorIdentifierUriValidate: () => false,
    responseTypes: ['code'],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    pkce: { required: needsPkce },
    findAccount: createFindAccount({ find: parts.findPerson, releases: parts.releases, notices: parts.notices, now }),
    loadExistingGrant: (ctx) => loadStandingGrant(ctx, parts.notices, now(), grantTurns),
    interactions: {
      policy: createPolicy(parts),
      async url(ctx, interaction) {
        await parts.browsers.bind(ctx, interaction.uid)
        return `/login/${interaction.uid}`
      },
    },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    // FAPI 2.0 §5.3.2.1: no rotation for sender-constrained tokens of confidential clients.
    rotateRefreshToken: (ctx) => !isFapi(ctx.oidc.client),
    expiresWithSession: async () => true,
    allowOmittingSingleRegisteredRedirectUri: false,
    clientBasedCORS: () => false,
    clockTolerance: 5,
    renderError(ctx: KoaContextWithOIDC, out) {
      const status = ctx.status
      ctx.body = pages.render(ctx.req, ctx.res, { view: 'oauth-error', status, data: { error: out.error } })
    },
    routes: {
      authorization: '/auth',
      end_session: '/session/end',
      introspection: '/introspect',
      jwks: '/jwks',
      pushed_authorization_request: '/par',
      revocation: '/revoke',
      token: '/token',
      userinfo: '/userinfo',
    },
    // The engine fetches nothing: keys are given to it (`sm.ts`), sectors are fields.
    fetch: () => Promise.reject(new Error('the engine has nothing to fetch')),
  }
}

/** Without a listener Koa would print past our log. What a client breaks, its connection above all, is no fault. */
function tellFaults(emitter: EventEmitter, onFault: (error: unknown) => void): void {
  emitter.on('error', (error: { readonly code?: string; readonly expose?: boolean; readonly status?: number }) => {
    if (error.expose || error.status === 404 || /^(HPE_|ECONNRESET|EPIPE)/.test(error.code ?? '')) return
    onFault(error)
  })
}

export function createProvider(parts: ProviderParts): Provider {
  const smOnly = parts.config.crypto.policy === 'sm-only'
  const provider = createSmProvider({
    issuer: parts.config.issuer,
    configuration: configuration(parts),
    signers: smOnly ? parts.keys.signers.filter(({ key }) => key.alg === 'SGD_SM3_SM2') : parts.keys.signers,
    decrypters: parts.keys.decrypters,
    findApplication: parts.applications.get,
    now: parts.now,
    keySets: parts.keySets,
    smOnly,
    onLogoutNotice: noticeLater(parts.outbox),
    onSessionEnd: async (uid) => void (await parts.artifacts.spend(sessionEnded, uid, parts.now() + sessionMarkMs)),
    acrFor,
  })
  // `http/canonical` has put our own host and scheme where the engine looks.
  provider.proxy = true
  explainErrors(provider)
  sayWhatWorks(provider)
  closeCors(provider)
  refuseForeignBrowsers(provider, parts)
  auditEngine(provider, parts.recorder, parts.onFault)
  replaceSelfSubmittingPages(provider, parts.pages)
  provider.on('server_error', (_ctx, error) => parts.onFault(error))
  tellFaults(provider, parts.onFault)
  return provider
}
