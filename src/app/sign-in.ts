/** Wires the one use case, signing in and registering, out of its parts (`login/`). */
import type { Recorder } from '../audit/recorder.ts'
import type { Config } from '../config.ts'
import { createAttempts } from '../login/attempt.ts'
import { createChallenges } from '../login/challenge.ts'
import type { Devices } from '../login/devices.ts'
import type { Directory } from '../login/directory.ts'
import type { Linking } from '../login/linking.ts'
import type { Links } from '../login/links.ts'
import { createMethodChallenges } from '../login/method-challenge.ts'
import { createLine } from '../login/line.ts'
import type { Ownership } from '../login/ownership.ts'
import { createPhoneConfirmation } from '../login/phone-confirmation.ts'
import { createProofing } from '../login/proofing.ts'
import { createRecognition } from '../login/recognition.ts'
import type { RegisterCheck } from '../login/register-check.ts'
import { createSignIn, type SignIn } from '../login/sign-in.ts'
import type { Throttle } from '../login/throttle.ts'
import type { SealedArtifacts } from '../storage/sealed-artifacts.ts'
import type { Storage } from '../storage/storage.ts'
import type { Verifiers } from '../verifiers/registry.ts'
import type { ServerKeys } from './keys.ts'

interface Parts {
  readonly config: Config
  readonly keys: Pick<ServerKeys, 'limitMac'>
  readonly storage: Storage
  readonly artifacts: SealedArtifacts
  readonly directory: Directory
  readonly throttle: Throttle
  readonly devices: Devices
  readonly verifiers: Verifiers
  readonly recorder: Recorder
  readonly check: RegisterCheck
  readonly ownership: Ownership
  readonly links: Links
  readonly linking: Linking
  readonly onUnavailable: (error: unknown, reference?: string) => void
  readonly now: () => number
}

export function wireSignIn(parts: Parts): SignIn {
  const { config, keys, storage, artifacts, directory, throttle, devices } = parts
  const { recorder, check, ownership, now } = parts
  const { login, verifiers } = config
  const line = createLine({ throttle, storage, mac: keys.limitMac, now })
  const proofing = createProofing({ directory, check, throttle, recorder, ownership, now })
  return createSignIn({
    attempts: createAttempts({ artifacts, lifetimeMs: login.attempt * 1000, now }),
    directory,
    challenges: createChallenges({
      ...{ directory, throttle, devices, recorder, storage, now },
      line,
      verifiers: parts.verifiers,
      resendAfterMs: verifiers.sms.resendAfter * 1000,
      onUnavailable: parts.onUnavailable,
    }),
    methodChallenges: createMethodChallenges({
      ...{ artifacts, throttle, line, recorder, now },
      recognise: createRecognition({ directory, proofing, links: parts.links, now }),
      issuer: config.issuer,
      numberKey: ({ kind, number }) => directory.documentKey(kind, number),
      onUnavailable: parts.onUnavailable,
    }),
    verifiers: parts.verifiers,
    linking: parts.linking,
    devices,
    proofing,
    confirmation: createPhoneConfirmation({ directory, check, recorder, confirmDays: login.phoneConfirmDays, now }),
    recorder,
    now,
  })
}
