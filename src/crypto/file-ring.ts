/** The `KeyRing` of the key files of a directory. */
import { loadKeys } from './key-store.ts'
import type { KeyRing, Keys } from './keys.ts'

/** @throws AppError `key_invalid` naming the file, what is wrong with it and what to do */
export async function openFileRing(directory: string, options: { readonly production: boolean }): Promise<KeyRing> {
  const { signers, ...others } = await loadKeys(directory, options)
  const isFirst = (alg: string, kid: string) => signers.find((signer) => signer.alg === alg)?.kid === kid
  const keys: Keys = {
    ...others,
    signers: signers.map((key) => ({ key, state: isFirst(key.alg, key.kid) ? 'active' : 'retired' })),
    decrypters: [],
  }
  return { current: () => keys, onChange: () => undefined, close: async () => undefined }
}
