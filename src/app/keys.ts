/** The keys of the server as the composition root hands them on: each port follows the keys that are in use. */
import { createKeyRecord } from '../audit/key-changes.ts'
import type { Recorder } from '../audit/recorder.ts'
import type { Config } from '../config.ts'
import type { Environment } from '../crypto/kek.ts'
import { keysInUse } from '../crypto/keys-in-use.ts'
import { openRing } from '../crypto/open-ring.ts'
import { createSealer } from '../crypto/sealer.ts'
import { AppError, isAppError } from '../errors.ts'
import type { Logger } from '../http/log.ts'
import type { SealedArtifacts } from '../storage/sealed-artifacts.ts'
import { keysSeenKind } from '../storage/storage.ts'

interface Surroundings {
  readonly env: Environment | undefined
  readonly now: () => number
  readonly log: Logger
}

/** What this node keeps of its keys is the first thing that is opened in a store. */
function refuseForeignStore(cause: unknown): never {
  if (!isAppError(cause, 'sealed_value_invalid')) throw cause
  const detail = 'these keys do not open the store; put those back that belong to it, or begin anew with neither'
  throw new AppError('key_invalid', { detail, cause })
}

export type ServerKeys = Awaited<ReturnType<typeof openServerKeys>>

/** @throws AppError `key_invalid` saying what to do */
export async function openServerKeys(config: Config, { env, now, log }: Surroundings) {
  const onFault = (error: unknown) => log.error({ err: error }, 'the keys stay as they are')
  const ring = await openRing(config, { env, now, onFault })
  const keys = keysInUse(ring)
  const { current, onChange, close } = keys
  return {
    ...{ current, onChange, close },
    healthy: ring.healthy,
    sealer: createSealer(current),
    pairwiseMac: (text: string) => current().pairwise(text),
    auditSigner: () => current().audit,
    rowMac: (text: string) => current().rows(text),
    limitMac: (text: string) => current().limits(text),
    codeMacs: () => current().codes,
    /** To be awaited before anything is signed. @throws AppError `audit_broken`; `key_invalid` over a foreign store */
    follow: (recorder: Recorder, artifacts: SealedArtifacts) =>
      keys
        .follow({
          record: createKeyRecord({ artifacts, recorder, kind: keysSeenKind, node: config.audit.node }),
          onFault,
        })
        .catch(refuseForeignStore),
    /** Takes up what the key file and the clock say now, instead of within two seconds. */
    async takeUp(): Promise<void> {
      await ring.look()
      await keys.settled()
    },
  }
}
