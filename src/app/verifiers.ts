/** Wires the verifiers that the channels name, each with what stands behind it. */
import type { Recorder } from '../audit/recorder.ts'
import { mustHaveAlternatives } from '../channels/alternatives.ts'
import type { Channels } from '../channels/channel.ts'
import type { Config } from '../config.ts'
import type { Logger } from '../http/log.ts'
import { loadModules } from '../verifiers/own/module.ts'
import type { PasskeyStore } from '../verifiers/passkey/store.ts'
import { createVerifiers, type VerifierParts, type Verifiers } from '../verifiers/registry.ts'
import type { Verifier } from '../verifiers/verifier.ts'
import { wireCardDevices } from './card-devices.ts'
import type { Gateways } from './gateways.ts'
import { alarmOfCopies } from './passkeys.ts'

/** What a caller may put in place of what the settings name. */
export interface VerifierOverrides {
  readonly verifiers?: ReadonlyMap<string, Verifier>
}

interface Parts extends Pick<VerifierParts, 'codeMacs'> {
  readonly channels: Channels
  readonly gateways: Pick<Gateways, 'sms' | 'voice'>
  readonly passkeyStore: PasskeyStore
  readonly recorder: Recorder
  readonly log: Logger
  readonly now: () => number
  /** Hears what the citizen is told only in part. */
  readonly onFault: (error: unknown) => void
}

/** @throws AppError `config_invalid`, `key_invalid` */
export async function wireVerifiers(
  config: Config,
  overrides: VerifierOverrides,
  { channels, gateways, passkeyStore, recorder, log, now, codeMacs, onFault }: Parts,
): Promise<{ readonly verifiers: Verifiers; stop(): void }> {
  const cardDevices = wireCardDevices(config, log)
  const verifiers = createVerifiers(
    [...channels.values()].flatMap((channel) => channel.verifiers),
    {
      ...{ config, codeMacs, now, cardDevices, smsGateway: gateways.sms, voiceGateway: gateways.voice },
      ...{ passkeys: passkeyStore, onCopied: alarmOfCopies(log, recorder), onFault },
      ownModules: await loadModules(config.verifiers.own),
      ...(overrides.verifiers ? { given: overrides.verifiers } : {}),
    },
  )
  mustHaveAlternatives(channels, verifiers)
  return { verifiers, stop: () => cardDevices?.stop() }
}
