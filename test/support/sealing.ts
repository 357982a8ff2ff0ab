/** Keys by small numbers, and a store with everything over it that seals, finds and protects people. */
import { createSoftwareKeyWrapper } from '#src/crypto/software-key-wrapper.ts'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { createSealer, type SealerKeys } from '#src/crypto/sealer.ts'
import type { Sealing } from '#src/login/person-rows.ts'
import { openProtectedStorage } from '#src/storage/open.ts'
import type { DataKeys, Storage } from '#src/storage/storage.ts'
import { createVault, type Vault } from '#src/storage/vault.ts'

const bytes = (fill: number) => Buffer.alloc(32, fill)

/** Wrapping keys `k<number>`, the first of which wraps, and index keys of these versions. */
export const sealerKeys = (wrapping: readonly number[] = [1], versions: readonly number[] = [1]): SealerKeys => ({
  wrapper: createSoftwareKeyWrapper({
    current: `k${wrapping[0]}`,
    keys: Object.fromEntries(wrapping.map((n) => [`k${n}`, bytes(n)])),
  }),
  index: versions.map((version) => ({ version, mac: createSoftwareMac(bytes(100 + version)) })),
})

/** The key that protects rows. */
export const rowMac = createSoftwareMac(bytes(200))

export function sealingOf(dataKeys: DataKeys, keys: () => SealerKeys = () => sealerKeys(), now = Date.now): Sealing {
  const sealer = createSealer(keys)
  const reserve = createVault({ dataKeys, sealer, id: 'reserve', now })
  return { sealer, pseudonym: createSoftwareMac(bytes(201)), reserve }
}

export interface SealedStore {
  readonly storage: Storage
  readonly sealing: Sealing
  readonly vault: Vault
  /** Ids of those whose rows were found to be changed. */
  readonly tampered: readonly string[]
}

export async function openSealedStore(
  file = ':memory:',
  keys: () => SealerKeys = () => sealerKeys(),
  now = Date.now,
): Promise<SealedStore> {
  const tampered: string[] = []
  const onTampered = (id: string) => void tampered.push(id)
  const indexVersions = keys().index.map(({ version }) => version)
  const protection = { rowMac, indexVersions, now, onTampered }
  const storage = await openProtectedStorage({ kind: 'sqlite', file }, protection)
  const sealing = sealingOf(storage.dataKeys, keys, now)
  const vault = createVault({ dataKeys: storage.dataKeys, sealer: sealing.sealer, id: 'artifacts', now })
  return { storage, sealing, vault, tampered }
}
