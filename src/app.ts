/**
 * The composition root: the only file that knows every room. `createApp` wires them for a configuration; tests and the
 * demo city may put their own register, gateway, applications and clock in.
 */
import { resolve } from 'node:path'
import type { Express } from 'express'
import { wireAccounts } from './app/accounts.ts'
import { openServerKeys, type ServerKeys } from './app/keys.ts'
import { wireGateways } from './app/gateways.ts'
import { wirePasskeys } from './app/passkeys.ts'
import { wireSignIn } from './app/sign-in.ts'
import { wireVerifiers, type VerifierOverrides } from './app/verifiers.ts'
import { createRecorder, type Recorder } from './audit/recorder.ts'
import { recordRestores } from './audit/restored.ts'
import { createChannels } from './channels/channel.ts'
import type { Config } from './config.ts'
import type { Environment } from './crypto/kek.ts'
import { peerFrom } from './peers/shared-key.ts'
import { runSelfTest } from './crypto/self-test.ts'
import { AppError } from './errors.ts'
import { createLogger, type Logger } from './http/log.ts'
import { createPages } from './http/pages.ts'
import { loadWords } from './http/words.ts'
import type { PopulationRegister } from './identity/registry.ts'
import { createCitizenNotices } from './login/citizen-notices.ts'
import { createDevices } from './login/devices.ts'
import { createDirectory, type Directory } from './login/directory.ts'
import { createPasskeyStore } from './login/passkey-store.ts'
import { createRegisterChanges } from './login/register-changes.ts'
import { createRegisterCheck } from './login/register-check.ts'
import { createRenewal, type Renewal } from './login/renewal.ts'
import { createThrottle } from './login/throttle.ts'
import type { ApplicationInput } from './oidc/application.ts'
import { followApplicationFiles, seedApplications } from './oidc/application-watch.ts'
import { createApplications, type Applications } from './oidc/applications.ts'
import { createBrowserBinding } from './oidc/browser-binding.ts'
import { createClaimEnds } from './oidc/claim-ends.ts'
import { createEngine } from './oidc/engine.ts'
import { createInteractions } from './oidc/interaction.ts'
import { noticeLater } from './oidc/logout.ts'
import { createReleases } from './oidc/releases.ts'
import { createSharedSessions } from './oidc/shared-sessions.ts'
import { createSessions } from './oidc/sessions.ts'
import { createNotices } from './oidc/notices.ts'
import { createOutbox, type Outbox } from './outbox/outbox.ts'
import { selfApplication } from './portal/self.ts'
import type { Link } from './portal/home.ts'
import { createSite } from './portal/site.ts'
import { createSealedArtifacts } from './storage/sealed-artifacts.ts'
import { withBreaker } from './register/breaker.ts'
import { followRegister, type RegisterFollower } from './register/follow.ts'
import { createHttpRegister } from './register/http-register.ts'
import { openProtectedStorage } from './storage/open.ts'
import { sweepInBackground } from './storage/sweeper.ts'
import { registerCursorKind, type Storage } from './storage/storage.ts'
import { createVault } from './storage/vault.ts'
import type { SmsGateway } from './verifiers/sms/gateway.ts'

/** What a caller may put in place of what the configuration names. */
export interface Overrides extends VerifierOverrides {
  readonly register?: PopulationRegister
  readonly smsGateway?: SmsGateway
  readonly voiceGateway?: SmsGateway
  readonly applications?: readonly ApplicationInput[]
  /** Changes what an application's file says before it is checked (the demo city's ports and dates). */
  readonly prepareApplication?: (input: unknown) => unknown
  /** Applications the front page leads to. */
  readonly links?: readonly Link[]
  /** The environment of the process, where the settings name a variable of it (`keys.kek`). */
  readonly env?: Environment
  readonly now?: () => number
  readonly log?: Logger
}

export interface App {
  readonly handler: Express
  readonly storage: Storage
  readonly directory: Directory
  readonly applications: Applications
  readonly recorder: Recorder
  readonly outbox: Outbox
  readonly registerFollower: RegisterFollower
  readonly renewal: Renewal
  readonly log: Logger
  /** Takes up what the key file and the clock say now, instead of within two seconds. */
  takeUpKeys(): Promise<void>
  /** Stops timers, sends nothing more, signs the audit trail's head and closes the store. */
  close(): Promise<void>
}

const missing = (path: string) =>
  new AppError('config_invalid', { detail: `${path} is missing; say url, keyFile and timeout` })

/** The demo city's parts are loaded only where the settings name them (DESIGN: never in production). */
async function registerFor({ register }: Config, now: () => number): Promise<PopulationRegister> {
  if (register.kind === 'file') {
    const { createFileRegister } = await import('./demo/population-register.ts')
    return createFileRegister(resolve(register.file))
  }
  if (!register.http) throw missing('register.http')
  const { failures, pause } = register.breaker
  return withBreaker(createHttpRegister(peerFrom(register.http)), { failures, pauseMs: pause * 1000, now })
}

/** @throws AppError `config_invalid`, `key_invalid` or `storage_unavailable`, each saying what to do */
export async function createApp(config: Config, overrides: Overrides = {}): Promise<App> {
  const { now = Date.now, env } = overrides
  const log = overrides.log ?? createLogger(config.log.level)
  const engines = await runSelfTest()
  if (Object.values(engines).some((engine) => engine !== 'native'))
    log.warn(engines, 'this runtime lacks some SM algorithm: a slower fall-back computes it')
  const keys = await openServerKeys(config, { env, now, log })
  try {
    return await wire(config, overrides, { keys, log, now })
  } catch (error) {
    // A server that does not start does not go on watching its keys.
    await keys.close()
    throw error
  }
}

interface Opened {
  readonly keys: ServerKeys
  readonly log: Logger
  readonly now: () => number
}

async function wire(config: Config, overrides: Overrides, { keys, log, now }: Opened): Promise<App> {
  const onFault = (error: unknown) => log.error({ err: error }, 'fault')
  const onUnavailable = (error: unknown, reference?: string) => log.warn({ err: error, reference }, 'a back end failed')
  const production = config.environment === 'production'
  const { issuer, city, login } = config
  const { sealer } = keys

  const storage = await openProtectedStorage(config.storage, {
    ...{ rowMac: keys.rowMac, indexVersions: sealer.indexVersions(), now },
    onTampered(person) {
      log.error('the row of a person was changed outside; refused')
      recorder.record({ type: 'person.tampered', outcome: 'refused', person }).catch(onFault)
    },
  })
  const vault = (id: string) => createVault({ dataKeys: storage.dataKeys, sealer, id, now })
  const artifactVault = vault('artifacts')
  const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, vault: artifactVault })

  const recorder = createRecorder({ storage, sealer, signer: keys.auditSigner, ...config.audit, now, onFault })
  await recordRestores(storage, recorder)
  await keys.follow(recorder, artifacts)
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
    rowMac: keys.rowMac,
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

  for (const { id, legacyUntil } of await applications.list())
    if (legacyUntil) log.warn({ application: id, until: legacyUntil }, 'this application still has the profile legacy')

  const channels = createChannels(config.channels)
  const gateways = wireGateways(config, overrides, { recorder, artifacts, log, now })
  const passkeyStore = createPasskeyStore({ artifacts, now })
  const { verifiers, stop: stopVerifiers } = await wireVerifiers(config, overrides, {
    ...{ channels, gateways, passkeyStore, recorder, log, now, codeMacs: keys.codeMacs, onFault: onUnavailable },
  })
  const sealing = { sealer, pseudonym: keys.pairwiseMac, reserve: vault('reserve') }
  const directory = createDirectory({ storage, ...sealing, now })
  const throttle = createThrottle({ storage, login, sms: config.verifiers.sms, now })
  const devices = createDevices({ artifacts, directory, perPerson: login.knownDevices, now })
  const register = overrides.register ?? (await registerFor(config, now))
  const check = createRegisterCheck(register, { onUnavailable })
  const citizenNotices = createCitizenNotices({
    ...{ outbox, gateway: gateways.sms, vault: artifactVault, storage, recorder },
    ...{ city: city.name, hotline: city.hotline, now },
  })
  const passkeys = wirePasskeys({
    ...{ config, store: passkeyStore, artifacts, directory, recorder, notices: citizenNotices, now },
  })
  const { links, linking, ownership } = wireAccounts({
    ...{ artifacts, directory, recorder, notices: citizenNotices, pairwiseMac: keys.pairwiseMac, now },
    freshness: config.verifiers.passkey.freshness,
    endPasskeys: passkeys.endAll,
    endSessions: (person, below) => (below === undefined ? sessions.end(person) : sessions.endBelow(person, below)),
    hidePast: (person) => Promise.all([notices.withdrawAll(person), releases.hide(person)]),
  })
  const signIn = wireSignIn({
    ...{ config, keys, storage, artifacts, directory, throttle, devices, verifiers },
    ...{ recorder, check, ownership, links, linking, onUnavailable, now },
  })

  const views = resolve(import.meta.dirname, '../views')
  const pages = createPages({
    views,
    words: await loadWords(resolve(views, 'locales')),
    city,
    reload: !production,
  })
  const notices = createNotices({ artifacts, now })
  const releases = createReleases({ artifacts, retentionDays: config.audit.retentionDays, now })
  const claimEnds = createClaimEnds({ artifacts, now })
  const sharedSessions = createSharedSessions({ artifacts, any: [...channels.values()].some(({ shared }) => shared) })
  const browsers = createBrowserBinding({
    artifacts,
    https: issuer.startsWith('https:'),
    lifetimeMs: login.attempt * 1000,
    now,
  })
  const engine = createEngine({
    ...{ config, artifacts, applications, channels, notices, releases, claimEnds, sharedSessions, browsers },
    ...{ recorder, outbox, pages, now, onFault },
    keys: keys.current(),
    findPerson: directory.find,
  })
  keys.onChange(() => engine.renew(keys.current()))
  const sessions = createSessions({ artifacts, engine, claimEnds, sharedSessions, notify: noticeLater(outbox) })
  const interactions = createInteractions({
    ...{ engine, applications, channels, notices, claimEnds, sharedSessions, browsers, recorder, now },
    findPerson: directory.find,
  })

  const handler = createSite({
    ...{ config, log, views, pages, issuer, now },
    ...{ interactions, signIn, sessions, notices, releases, passkeys, applications, directory, recorder, linking },
    engine: engine.handler,
    links: overrides.links ?? [],
    reports: gateways.reports,
    ready: () => storage.audit.nodes().then(keys.healthy, () => false),
  })

  const stopSweeping = sweepInBackground(storage, now, onFault)
  const onProgress = (progress: object) => log.info(progress, 'keys are renewed')
  const renewal = createRenewal({ storage, ...sealing, recorder, onProgress, onFault, now })
  keys.onChange(() => void renewal.wake().catch(onFault))
  outbox.start()
  const registerFollower = followRegister({
    register,
    artifacts,
    cursorKind: registerCursorKind,
    apply: createRegisterChanges({ directory, check, recorder, endSessions: sessions.end, onFault, now }),
    everyMs: config.register.followSeconds * 1000,
    onFault: (error) => log.warn({ err: error }, 'the changes of the register could not be followed'),
  })

  return {
    handler,
    storage,
    directory,
    applications,
    recorder,
    outbox,
    registerFollower,
    renewal,
    log,
    takeUpKeys: keys.takeUp,
    async close() {
      stopSweeping()
      await renewal.stop()
      await registerFollower.stop()
      following?.stop()
      stopVerifiers()
      await outbox.close()
      await gateways.close()
      await keys.close()
      await recorder.close()
      await storage.close()
    },
  }
}

/** Says an AppError the way an operator reads it. */
export function describeStartFault(error: unknown): string {
  return error instanceof AppError ? `${error.code}: ${error.detail ?? ''}` : String(error)
}
