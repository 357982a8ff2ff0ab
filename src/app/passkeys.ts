/** Wires what an account's passkeys need: where they are kept, how devices make them, and who is told (`login/`). */
import type { Recorder } from '../audit/recorder.ts'
import type { Config } from '../config.ts'
import type { Logger } from '../http/log.ts'
import type { CitizenNotices } from '../login/citizen-notices.ts'
import type { Directory } from '../login/directory.ts'
import { createPasskeys, type Passkeys } from '../login/passkeys.ts'
import type { SealedArtifacts } from '../storage/sealed-artifacts.ts'
import { siteOf } from '../verifiers/passkey/answers.ts'
import { createEnrolment } from '../verifiers/passkey/enrolment.ts'
import type { PasskeyStore } from '../verifiers/passkey/store.ts'

interface Parts {
  readonly config: Config
  readonly store: PasskeyStore
  readonly artifacts: SealedArtifacts
  readonly directory: Directory
  readonly recorder: Recorder
  readonly notices: CitizenNotices
  readonly now: () => number
}

export function wirePasskeys({ config, ...parts }: Parts): Passkeys {
  const { issuer, city, verifiers } = config
  const { validity } = verifiers.passkey
  const enrolment = createEnrolment({ site: siteOf(issuer), siteName: `${city.name.zh}一号`, validity })
  return createPasskeys({ ...parts, ...verifiers.passkey, enrolment })
}

/** An alarm to the operator, and a record of whose passkey it is, sealed. */
export const alarmOfCopies = (log: Logger, recorder: Recorder) => async (person: string) => {
  log.error('a passkey has counted backwards and may have been copied; refused')
  await recorder.record({ type: 'passkey.copied', outcome: 'refused', person })
}
