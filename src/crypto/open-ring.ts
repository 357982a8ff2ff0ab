/** Opens the keys of a node where the settings say that they stand. */
import type { Config } from '#src/config.ts'
import { openDaemonRing } from './daemon/ring.ts'
import { openFileRing } from './file-ring.ts'
import { withHardwareSigners } from './hardware-ring.ts'
import type { KeyRing } from './keys.ts'

type KeySettings = Pick<Config, 'environment' | 'keys'>

/**
 * The keys that this process holds itself: those of the key files, and in the place of some of them those in hardware.
 * @throws AppError `key_invalid` or `key_unavailable` saying what to do
 */
export async function openOwnRing({ environment, keys }: KeySettings): Promise<KeyRing> {
  const ring = await openFileRing(keys.directory, { production: environment === 'production' })
  if (!keys.pkcs11) return ring
  // Loaded on demand: most nodes have no hardware, and no foreign code in this process then.
  const { openPkcs11Signers } = await import('./pkcs11/signers.ts')
  const hardware = await openPkcs11Signers(keys.pkcs11)
  return {
    ...withHardwareSigners(ring, hardware.signers),
    async close() {
      await ring.close()
      await hardware.close()
    },
  }
}

export interface ServerRing extends KeyRing {
  /** False while the keys cannot be used. */
  healthy(): boolean
}

/**
 * The keys of a server or a command.
 * @param onFault told of what goes wrong with the key daemon later
 * @throws AppError `key_invalid`, `key_unavailable` or `config_invalid` saying what to do
 */
export async function openRing(config: KeySettings, onFault?: (error: unknown) => void): Promise<ServerRing> {
  const { kind, daemon } = config.keys
  if (kind === 'daemon')
    return openDaemonRing({ socket: daemon.socket, timeoutMs: daemon.timeout * 1000, ...(onFault && { onFault }) })
  return { ...(await openOwnRing(config)), healthy: () => true }
}
