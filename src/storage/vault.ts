/**
 * A data key of the store that belongs to no person (the artefacts', the reserved numbers'), as something that seals and
 * opens. It is read anew now and then, since it may be wrapped anew on any node, and the old wrapping key be retired.
 */
import type { Sealer, WrappedKey } from '#src/crypto/sealer.ts'
import type { DataKeys } from './storage.ts'

export interface Vault {
  seal(plain: string, context: string): Promise<string>
  /** @throws AppError `sealed_value_invalid` where the value, its key or its place was changed */
  open(sealed: string, context: string): Promise<string>
}

interface Dependencies {
  readonly dataKeys: Pick<DataKeys, 'get' | 'add'>
  readonly sealer: Sealer
  /** The key's id, and what it is bound to; it is made where it is not there. */
  readonly id: string
  readonly now?: () => number
}

const ageMs = 60_000

export function createVault({ dataKeys, sealer, id, now = Date.now }: Dependencies): Vault {
  let held: { readonly at: number; readonly wrapped: Promise<WrappedKey> } | undefined

  const load = async (): Promise<WrappedKey> => {
    const known = await dataKeys.get(id)
    return (known ?? (await dataKeys.add({ id, wrapped: await sealer.newDataKey(id) }))).wrapped
  }
  const key = (): Promise<WrappedKey> => {
    if (held && Math.abs(now() - held.at) < ageMs) return held.wrapped
    const loading = { at: now(), wrapped: load() }
    held = loading
    loading.wrapped.catch(() => {
      if (held === loading) held = undefined
    })
    return loading.wrapped
  }

  return {
    seal: async (plain, context) => sealer.seal(await key(), id, plain, context),
    open: async (sealed, context) => sealer.open(await key(), id, sealed, context),
  }
}
