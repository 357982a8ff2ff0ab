/**
 * Keeps passkeys as artefacts of the store: sealed, bound to their place, their end and their person, so that none can
 * be moved or given to somebody else; gone with the person who is erased, and kept out by the ledger once removed
 * (DESIGN D6, D11). Races are decided by unique marks alone.
 */
import { passkeyKind } from '#src/storage/storage.ts'
import type { Opened, SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Passkey, PasskeyStore } from '#src/verifiers/passkey/store.ts'

interface Dependencies {
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'byAccount' | 'spend' | 'remove'>
  readonly now?: () => number
}

/** One that was not used for so long is forgotten: its device is lost, or its owner has changed phones. */
const keptMs = 3 * 365 * 86_400_000
/** Marks of ids stand for ever: the end of the year 9999, which every store can count to. */
const forEver = Date.UTC(9999, 11, 31)
/** A count comes once; its mark has only to outlive the answers that race with it. */
const countMs = 86_400_000

const taken = 'PasskeyTaken'
const counted = 'PasskeyCounted'

export function createPasskeyStore({ artifacts, now = Date.now }: Dependencies): PasskeyStore {
  const put = (passkey: Passkey): Promise<boolean> =>
    artifacts.put(passkeyKind, passkey.id, passkey, {
      expiresAt: now() + keptMs,
      account: passkey.person,
      unless: { kind: passkeyKind, id: passkey.id },
    })
  /** One that is spent was removed, whoever may have put its row back. */
  const standing = (found: Opened<Passkey> | undefined) =>
    found && found.spentAt === undefined ? found.value : undefined
  const find = async (id: string) => standing(await artifacts.get<Passkey>(passkeyKind, id))

  return {
    find,
    async of(person) {
      const found = await artifacts.byAccount<Passkey>(passkeyKind, person)
      const all = found.map(standing).filter((one) => one !== undefined)
      return all.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
    },
    add: async (passkey) => (await artifacts.spend(taken, passkey.id, forEver)) && put(passkey),
    async used({ id }, { counter, synced, at }) {
      if (counter > 0 && !(await artifacts.spend(counted, `${id}:${counter}`, now() + countMs))) return false
      const passkey = await find(id)
      return passkey !== undefined && put({ ...passkey, counter, synced, usedAt: at })
    },
    async rename(id, name) {
      const passkey = await find(id)
      if (passkey) await put({ ...passkey, name })
    },
    async remove(id) {
      await artifacts.spend(passkeyKind, id, forEver)
      await artifacts.remove(passkeyKind, id)
    },
  }
}
