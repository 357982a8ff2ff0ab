/** An audit trail with everything real but the time: store, sealer, SM2 signer and recorder. */
import { exportJWK, generateKeyPair } from 'jose'
import { createRecorder, type Recorder } from '#src/audit/recorder.ts'
import { createSealer, type Sealer } from '#src/crypto/sealer.ts'
import type { Signer } from '#src/crypto/signer.ts'
import { createSoftwareSigner } from '#src/crypto/software-signer.ts'
import { openStorage } from '#src/storage/open.ts'
import type { AuditTrail, Store } from '#src/storage/storage.ts'
import { movableClock, type Clock } from './app.ts'
import { sealerKeys } from './sealing.ts'

export async function newSigner(): Promise<Signer> {
  const { privateKey } = await generateKeyPair('SGD_SM3_SM2', { extractable: true })
  return createSoftwareSigner(await exportJWK(privateKey))
}

export const newSealer = (fill = 1): Sealer => createSealer(() => sealerKeys([fill]))

export interface Trail {
  readonly storage: Store
  readonly signer: Signer
  readonly sealer: Sealer
  readonly recorder: Recorder
  readonly clock: Clock
  readonly faults: readonly unknown[]
  close(): Promise<void>
}

interface Options {
  readonly file?: string
  readonly signer?: Signer
  readonly node?: string
  readonly checkpointRecords?: number
  readonly checkpointSeconds?: number
  readonly clock?: Clock
  /** Stands before the store's own trail, to make it fail. */
  readonly audit?: (real: AuditTrail) => AuditTrail
}

export async function openTrail(options: Options = {}): Promise<Trail> {
  const { node = 'node-1', checkpointRecords = 1_000_000, checkpointSeconds = 3600 } = options
  const { clock = movableClock(), signer = await newSigner() } = options
  const sealer = newSealer()
  const storage = await openStorage({ kind: 'sqlite', file: options.file ?? ':memory:' }, clock.now)
  const faults: unknown[] = []
  const recorder = createRecorder({
    storage: { dataKeys: storage.dataKeys, audit: options.audit?.(storage.audit) ?? storage.audit },
    sealer,
    signer,
    node,
    retentionDays: 184,
    checkpointRecords,
    checkpointSeconds,
    now: clock.now,
    onFault: (error) => void faults.push(error),
  })
  return {
    storage,
    signer,
    sealer,
    recorder,
    clock,
    faults,
    async close() {
      await recorder.close()
      await storage.close()
    },
  }
}
