/**
 * The composition root: the only file that knows every room. `createApp` wires them for a configuration; tests and the
 * demo city may put their own register, gateway, applications and clock in.
 */
import { resolve } from 'node:path'
import express, { type Express } from 'express'
import { createRecorder, type Recorder } from './audit/recorder.ts'
import { recordRestores } from './audit/restored.ts'
import { createChannels } from './channels/channel.ts'
import type { Config } from './config.ts'
import { loadKeys } from './crypto/key-store.ts'
import { peerFrom } from './crypto/shared-key.ts'
import { runSelfTest } from './crypto/self-test.ts'
import { createSoftwareSealer } from './crypto/software-sealer.ts'
import { AppError } from './errors.ts'
import { refuseLargeBodies } from './http/body-limit.ts'
import { canonicalHost } from './http/canonical.ts'
import { refuseForeignOrigins } from './http/csrf.ts'
import { errorPage, notFound } from './http/error-page.ts'
import { createLogger, type Logger } from './http/log.ts'
import { accessLog } from './http/access-log.ts'
import { createPages } from './http/pages.ts'
import { securityHeaders } from './http/security.ts'
import { theme } from './http/theme.ts'
import { rememberVisit } from './http/visit.ts'
import { loadWords } from './http/words.ts'
import type { PopulationRegister } from './identity/registry.ts'
import { createAttempts } from './login/attempt.ts'
import { createChallenges } from './login/challenge.ts'
import { createDirectory, type Directory } from './login/directory.ts'
import { createPhoneConfirmation } from './login/phone-confirmation.ts'
import { createProofing } from './login/proofing.ts'
import { createRegisterCheck } from './login/register-check.ts'
import { createSignIn } from './login/sign-in.ts'
import { createThrottle } from './login/throttle.ts'
import type { ApplicationInput } from './oidc/application.ts'
import { followApplicationFiles, seedApplications } from './oidc/application-watch.ts'
import { createApplications } from './oidc/applications.ts'
import { createInteractions } from './oidc/interaction.ts'
import { noticeLater } from './oidc/logout.ts'
import { createReleases } from './oidc/releases.ts'
import { createSessions } from './oidc/sessions.ts'
import { createNotices } from './oidc/notices.ts'
import { createEngine, protocolPaths } from './oidc/provider.ts'
import { createOutbox, type Outbox } from './outbox/outbox.ts'
import { accountPages } from './portal/me.ts'
import { selfApplication } from './portal/self.ts'
import { homePages, type Link } from './portal/home.ts'
import { loginPages } from './portal/login.ts'
import { noticePages } from './portal/notice.ts'
import { createSealedArtifacts } from './storage/sealed-artifacts.ts'
import { withBreaker } from './register/breaker.ts'
import { createHttpRegister } from './register/http-register.ts'
import { openStorage } from './storage/open.ts'
import { sweepInBackground } from './storage/sweeper.ts'
import type { Storage } from './storage/storage.ts'
import { createVerifiers } from './verifiers/registry.ts'
import { createHttpGateway } from './verifiers/sms/http-gateway.ts'
import type { SmsGateway } from './verifiers/sms/gateway.ts'

/** What a caller may put in place of what the configuration names. */
export interface Overrides {
  readonly register?: PopulationRegister
  readonly smsGateway?: SmsGateway
  readonly applications?: readonly ApplicationInput[]
  /** Changes what an application's file says before it is checked (the demo city's ports and dates). */
  readonly prepareApplication?: (input: unknown) => unknown
  /** Applications the front page leads to. */
  readonly links?: readonly Link[]
  readonly now?: () => number
  readonly log?: Logger
}

export interface App {
  readonly handler: Express
  readonly storage: Storage
  readonly directory: Directory
  readonly recorder: Recorder
  readonly outbox: Outbox
  readonly log: Logger
  /** Stops timers, sends nothing more, signs the audit trail's head and closes the store. */
  close(): Promise<void>
}

/** The demo city's parts are loaded only where the settings name them (DESIGN: never in production). */
async function registerFor({ register }: Config, now: () => number): Promise<PopulationRegister> {
  if (register.kind === 'file' || !register.http) {
    const { createFileRegister } = await import('./demo/population-register.ts')
    return createFileRegister(resolve(register.file))
  }
  const { failures, pause } = register.breaker
  return withBreaker(createHttpRegister(peerFrom(register.http)), { failures, pauseMs: pause * 1000, now })
}

async function gatewayFor({ verifiers: { sms } }: Config, now: () => number): Promise<SmsGateway> {
  if (sms.gateway === 'http' && sms.http) return createHttpGateway(peerFrom(sms.http))
  const { createOutboxGateway } = await import('./verifiers/sms/outbox-gateway.ts')
  return createOutboxGateway(now)
}

/** @throws AppError `config_invalid`, `key_invalid` or `storage_unavailable`, each saying what to do */
export async function createApp(config: Config, overrides: Overrides = {}): Promise<App> {
  const { now = Date.now } = overrides
  const log = overrides.log ?? createLogger(config.log.level)
  const onFault = (error: unknown) => log.error({ err: error }, 'fault')
  const production = config.environment === 'production'

  const engines = await runSelfTest()
  if (engines.sm2 !== 'native') log.warn(engines, 'this runtime has no native SM2: signing falls back to sm-crypto')
  const keys = await loadKeys(config.keys.directory, { production })
  const sealer = createSoftwareSealer(keys.sealer)
  const storage = await openStorage(config.storage, now)

  const keyId = 'artifacts'
  const known = await storage.dataKeys.get(keyId)
  const stored = known ?? (await storage.dataKeys.add({ id: keyId, wrapped: await sealer.newDataKey(keyId) }))
  const artifactKey = { wrapped: stored.wrapped, context: keyId }
  const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, sealer, key: artifactKey })

  const recorder = createRecorder({ storage, sealer, signer: keys.audit, ...config.audit, now, onFault })
  await recordRestores(storage, recorder)
  const outbox = createOutbox({
    storage,
    giveUpAfterMs: config.outbox.giveUpAfter * 1000,
    now,
    onFault: (kind, error, buried) => log.warn({ kind, buried, err: error }, 'a delivery failed'),
  })

  const onTampered = (id: string) => log.error({ application: id }, 'an application row was changed outside; refused')
  const policy = { smOnly: config.crypto.policy === 'sm-only', production }
  const applications = createApplications({
    storage,
    rowKey: keys.rows,
    policy,
    builtIn: [selfApplication(config)],
    now,
    onTampered,
  })
  const source = {
    applications,
    recorder,
    directory: config.applications,
    policy,
    prepare: overrides.prepareApplication,
  }
  if (overrides.applications) await seedApplications(overrides.applications, source)
  const following = overrides.applications ? undefined : await followApplicationFiles({ ...source, now, onFault })

  for (const { id, legacyUntil } of await applications.list()) {
    if (legacyUntil) log.warn({ application: id, until: legacyUntil }, 'this application still has the profile legacy')
  }

  const channels = createChannels(config.channels)
  const verifiers = createVerifiers(
    [...channels.values()].flatMap((channel) => channel.verifiers),
    { config, codeKey: keys.codes, smsGateway: overrides.smsGateway ?? (await gatewayFor(config, now)) },
  )
  const directory = createDirectory({ storage, sealer, now })
  const throttle = createThrottle({ storage, login: config.login, sms: config.verifiers.sms, now })
  const register = overrides.register ?? (await registerFor(config, now))
  const check = createRegisterCheck(register)
  const lifetimeMs = config.login.attempt * 1000
  const signIn = createSignIn({
    attempts: createAttempts({ storage, sealer, key: artifactKey, lifetimeMs, now }),
    directory,
    challenges: createChallenges({
      directory,
      throttle,
      verifiers,
      recorder,
      storage,
      resendAfterMs: config.verifiers.sms.resendAfter * 1000,
      now,
    }),
    proofing: createProofing({
      directory,
      check,
      throttle,
      recorder,
      endSessions: (person) => sessions.end(person),
      now,
    }),
    confirmation: createPhoneConfirmation({
      directory,
      check,
      recorder,
      confirmDays: config.login.phoneConfirmDays,
      now,
    }),
    recorder,
    now,
  })

  const views = resolve(import.meta.dirname, '../views')
  const pages = createPages({
    views,
    words: await loadWords(resolve(views, 'locales')),
    city: config.city,
    reload: !production,
  })
  const notices = createNotices({ artifacts, now })
  const releases = createReleases({ artifacts, retentionDays: config.audit.retentionDays, now })
  const provider = createEngine({
    config,
    artifacts,
    signers: keys.signers,
    cookieKeys: keys.cookies,
    pairwiseKey: keys.pairwise,
    applications,
    channels,
    notices,
    releases,
    findPerson: directory.find,
    recorder,
    outbox,
    pages,
    now,
    onFault,
  })
  const sessions = createSessions({ artifacts, provider, notify: noticeLater(outbox) })
  const interactions = createInteractions({ provider, applications, channels, notices, recorder, now })

  const https = config.issuer.startsWith('https:')
  const handler = express()
  handler.disable('x-powered-by')
  handler.set('trust proxy', [...config.listen.trustedProxies])
  handler.use(canonicalHost(config.issuer))
  handler.use(rememberVisit({ secure: https }))
  handler.use(accessLog(log))
  handler.use(securityHeaders({ https }))
  handler.use(refuseLargeBodies)
  // Applications come first: nothing that only pages need stands in their way.
  handler.all([...protocolPaths], provider.callback())
  handler.use(theme(config.city))
  handler.use('/static', express.static(resolve(views, 'static'), { maxAge: production ? '1d' : 0, index: false }))
  const sameOrigin = refuseForeignOrigins(config.issuer)
  handler.use(['/login', '/me', '/session/end/confirm'], sameOrigin)
  handler.use(
    homePages({
      pages,
      links: overrides.links ?? [],
      ready: () =>
        storage.audit.nodes().then(
          () => true,
          () => false,
        ),
    }),
  )
  handler.use(loginPages({ interactions, signIn, pages, now }))
  handler.use(noticePages({ interactions, pages }))
  const { issuer } = config
  handler.use(accountPages({ issuer, pages, sessions, notices, releases, applications, directory, recorder }))
  handler.use(provider.callback())
  handler.use(notFound)
  handler.use(errorPage(pages, log))

  const stopSweeping = sweepInBackground(storage, now, onFault)
  outbox.start()

  return {
    handler,
    storage,
    directory,
    recorder,
    outbox,
    log,
    async close() {
      stopSweeping()
      following?.stop()
      await outbox.close()
      await recorder.close()
      await storage.close()
    },
  }
}

/** Says an AppError the way an operator reads it. */
export function describeStartFault(error: unknown): string {
  return error instanceof AppError ? `${error.code}: ${error.detail ?? ''}` : String(error)
}
