/** Opens the keys of a node where the settings say that they stand. */
import { openDaemonRing } from './daemon/ring.ts'
import { withHardwareSigners } from './hardware-ring.ts'
import { openKeyRing, type FileKeyRing } from './key-ring.ts'
import type { KeyConfig, Surroundings } from './key-store.ts'
import type { KeyRing } from './keys.ts'

interface Watching extends Surroundings {
  /** Told of keys that cannot be taken up, and of what goes wrong with the key daemon. */
  readonly onFault?: (error: unknown) => void
}

/**
 * The keys that this process holds itself: those of the key file, and in the place of some of them those in hardware.
 * @throws AppError `key_invalid` or `key_unavailable` saying what to do
 */
export async function openOwnRing(config: KeyConfig, surroundings: Watching = {}): Promise<FileKeyRing> {
  const ring = await openKeyRing(config, { onFault: () => undefined, ...surroundings })
  const { pkcs11 } = config.keys
  if (!pkcs11) return ring
  // Loaded on demand: most nodes have no hardware, and no foreign code in this process then.
  const { openPkcs11Signers } = await import('./pkcs11/signers.ts')
  const hardware = await openPkcs11Signers(pkcs11)
  return {
    ...withHardwareSigners(ring, hardware.signers),
    look: ring.look,
    async close() {
      await ring.close()
      await hardware.close()
    },
  }
}

export interface ServerRing extends KeyRing {
  /** False while the keys cannot be used. */
  healthy(): boolean
  /** Looks at key file and clock now, instead of within two seconds; where they are in this process. */
  look(): Promise<void>
}

/**
 * The keys of a server or a command.
 * @throws AppError `key_invalid`, `key_unavailable` or `config_invalid` saying what to do
 */
export async function openRing(config: KeyConfig, surroundings: Watching = {}): Promise<ServerRing> {
  const { kind, daemon } = config.keys
  const { onFault } = surroundings
  if (kind === 'files') return { ...(await openOwnRing(config, surroundings)), healthy: () => true }
  const settings = { socket: daemon.socket, timeoutMs: daemon.timeout * 1000 }
  // The daemon tells of each change by itself.
  return { ...(await openDaemonRing({ ...settings, ...(onFault && { onFault }) })), look: async () => undefined }
}
