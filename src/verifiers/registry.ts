/**
 * The verifiers of this deployment by name. A new way to prove identity is a folder beside this file, a line in
 * `factories`, and its name in a channel row (DESIGN D10).
 */
import type { Config } from '#src/config.ts'
import type { Mac } from '#src/crypto/mac.ts'
import { AppError } from '#src/errors.ts'
import { createCardFaceVerifier } from './id-card/card-face.ts'
import { createIdCardVerifier } from './id-card/index.ts'
import type { CardDevices } from './id-card/terminals.ts'
import { openCertificateVerifier } from './certificate/open.ts'
import { createFaceVerifier } from './face/index.ts'
import { openFaceSessions } from './face/open.ts'
import { openCtidVerifier } from './ctid/open.ts'
import { guarded } from './guard.ts'
import type { BackEnd } from './own/declared.ts'
import { createOwnVerifier } from './own/index.ts'
import { siteOf } from './passkey/answers.ts'
import { createPasskeyVerifier } from './passkey/index.ts'
import type { PasskeyStore } from './passkey/store.ts'
import type { SmsGateway } from './sms/gateway.ts'
import { createSmsVerifier, createVoiceVerifier } from './sms/index.ts'
import { openUpstreamVerifier } from './upstream/open.ts'
import type { Verifier } from './verifier.ts'

export interface VerifierParts {
  readonly config: Pick<Config, 'issuer' | 'verifiers' | 'city' | 'crypto'>
  /** Bind one-time codes and challenges, the newest first. */
  readonly codeMacs: () => readonly [Mac, ...Mac[]]
  /** Gateways that fail over and have breakers of their own (`sms/fail-over.ts`). */
  readonly smsGateway: SmsGateway
  readonly voiceGateway?: SmsGateway | undefined
  /** Card terminals, where a channel has any. */
  readonly cardDevices?: CardDevices | undefined
  readonly passkeys: PasskeyStore
  readonly now?: () => number
  /** What the caller puts in place of those that the settings name, or beside them. */
  readonly given?: ReadonlyMap<string, Verifier>
  /** Told of a person whose passkey may have been copied. */
  readonly onCopied: (person: string) => Promise<void>
  /** Hears what went wrong behind a sign-in that goes on. */
  readonly onFault?: (error: unknown) => void
  /** The modules of `verifiers.own` (`own/module.ts`). */
  readonly ownModules: ReadonlyMap<string, BackEnd>
}

const factories: Readonly<Record<string, (parts: VerifierParts) => Verifier>> = {
  sms({ config: { city, verifiers }, codeMacs, smsGateway }) {
    return createSmsVerifier({ ...verifiers.sms, macs: codeMacs, gateway: smsGateway, city: city.name })
  },
  voice({ config: { city, verifiers }, codeMacs, voiceGateway }) {
    if (!voiceGateway) throw new AppError('config_invalid', { detail: 'verifiers.voice.gateways: is empty' })
    return createVoiceVerifier({ ...verifiers.sms, macs: codeMacs, gateway: voiceGateway, city: city.name })
  },
  passkey: ({ config: { issuer, verifiers }, codeMacs, passkeys, onCopied }) =>
    createPasskeyVerifier({ ...verifiers.passkey, site: siteOf(issuer), store: passkeys, macs: codeMacs, onCopied }),
  'id-card'({ config: { verifiers }, codeMacs, cardDevices }) {
    if (!cardDevices) throw new AppError('config_invalid', { detail: 'verifiers.idCard.roots: is missing' })
    return createIdCardVerifier({ ...verifiers.idCard, ...cardDevices, macs: codeMacs })
  },
  'card-face'({ config: { verifiers }, codeMacs, cardDevices }) {
    const { face, ...idCard } = verifiers.idCard
    if (!cardDevices) throw new AppError('config_invalid', { detail: 'verifiers.idCard.roots: is missing' })
    if (!face)
      throw new AppError('config_invalid', { detail: 'verifiers.idCard.face: is missing; see config/README.md' })
    return createCardFaceVerifier({ ...idCard, ...cardDevices, face, macs: codeMacs })
  },
  certificate: ({ config, codeMacs }) => openCertificateVerifier(config, codeMacs),
  face({ config: { verifiers }, codeMacs: macs, onFault = () => undefined }) {
    if (!verifiers.face)
      throw new AppError('config_invalid', { detail: 'verifiers.face: is missing; see config/README.md' })
    const { service, consent, validity, breaker } = verifiers.face
    const verifier = createFaceVerifier({ sessions: openFaceSessions(service), consent, validity, macs, onFault })
    return guarded(verifier, { failures: breaker.failures, pauseMs: breaker.pause * 1000 })
  },
  ctid: ({ config, codeMacs }) => openCtidVerifier('ctid', config, codeMacs),
  'ctid-face': ({ config, codeMacs }) => openCtidVerifier('ctid-face', config, codeMacs),
}

/** Those whose names the settings choose: each gives the verifier of a name that is its own. */
const families: readonly ((name: string, parts: VerifierParts) => Verifier | undefined)[] = [
  (name, { config, codeMacs }) => openUpstreamVerifier(name, config, codeMacs),
  (name, { config: { verifiers }, codeMacs, ownModules }) => {
    const settings = Object.hasOwn(verifiers.own, name) ? verifiers.own[name] : undefined
    return settings && createOwnVerifier(name, settings, { macs: codeMacs, modules: ownModules })
  },
]

const named = (name: string, parts: VerifierParts): Verifier | undefined => {
  const given = parts.given?.get(name)
  if (given) return given
  const builtIn = Object.hasOwn(factories, name) ? factories[name]?.(parts) : undefined
  if (builtIn) return builtIn
  for (const family of families) {
    const verifier = family(name, parts)
    if (verifier) return verifier
  }
  return undefined
}

export type Verifiers = ReadonlyMap<string, Verifier>

/** Builds what the channels name. @throws AppError `config_invalid` for a name nobody knows */
export function createVerifiers(names: Iterable<string>, parts: VerifierParts): Verifiers {
  const verifiers = new Map<string, Verifier>()
  const { own, upstream } = parts.config.verifiers
  for (const [family, members] of Object.entries({ own, upstream }))
    for (const name of Object.keys(members))
      if (Object.hasOwn(factories, name) || (family === 'own' && Object.hasOwn(upstream, name)))
        throw new AppError('config_invalid', {
          detail: `verifiers.${family}.${name}: there is one of this name; choose another`,
        })
  for (const name of new Set(names)) {
    const verifier = named(name, parts)
    if (!verifier) {
      const known = [...Object.keys(factories), ...Object.keys(upstream), ...Object.keys(own)].join(', ')
      const detail = `channels: there is no verifier ${name}; there are ${known} (config/README.md)`
      throw new AppError('config_invalid', { detail })
    }
    verifiers.set(name, verifier)
  }
  return verifiers
}
