/**
 * The keys of a client instance, as the engine asks for them: those of the application's file or of its own address, on
 * every curve, and, where the application is trusted by certificate, only those that a chain leads to a trusted root.
 */
import { isDeepStrictEqual } from 'node:util'
import { importJWK, SGD_SM2_3, SGD_SM3_SM2, SM2_CURVE, speakingSm2Key, type JWK, type Sm2Key } from 'jose'
import type { Client } from 'oidc-provider'
import type { Application } from './application.ts'
import { certified } from './client-certificates.ts'
import type { ClientKeySets } from './client-key-sets.ts'
import { parseClientKeys, type ClientKey } from './client-keys.ts'
import { standardKeys, type Dialect } from './dialect.ts'

interface Parts {
  readonly keySets: ClientKeySets
  readonly smOnly: boolean
  readonly now: () => number
}

/** The engine's store, and what it asks of one whose keys stand at an address. */
interface KeyStore {
  add(key: object): void
  clear(): void
  fresh?(): boolean
  refresh?(): Promise<void>
}

/** Keys whose tokens are spelt in a dialect, by the entry of the store that stands for each. */
const speaking = new WeakMap<object, Sm2Key>()

/** The key that the entry of a store stands for, where that is more than the entry itself. */
export const keyBehind = (entry: object): Sm2Key | undefined => speaking.get(entry)

/** The entry of a key; the engine asks for it by the name that its tokens carry. */
async function spoken(key: ClientKey, { alg, signature }: Dialect): Promise<object> {
  const signs = key['crv'] === SM2_CURVE && key.use !== 'enc' && key.alg !== SGD_SM2_3
  if (!signs || (alg === undefined && signature === undefined)) return { ...key }
  const entry = { ...key, alg: alg ?? SGD_SM3_SM2 }
  const { kty, x, y } = key as JWK
  const imported = (await importJWK({ kty, crv: SM2_CURVE, x, y } as JWK, SGD_SM3_SM2)) as Sm2Key
  speaking.set(entry, speakingSm2Key(imported, { alg, sm2Signature: signature }))
  return entry
}

/** A chain is looked at again after this, so that a certificate ends a client's key on time. */
const certifiedMs = 60_000

/** When a store was filled, and under which settings: the engine makes another client only where its metadata changed. */
interface Filled extends Pick<Application, 'dialect' | 'trust'> {
  readonly at: number
}
const filled = new WeakMap<KeyStore, Filled>()

/**
 * Brings the keys up to date. Called at each use of the client: the engine itself would look again only after a
 * signature failed, and so go on taking a key that was withdrawn; and it drops those on the SM2 curve.
 */
export async function giveKeys(
  client: Client,
  application: Application,
  { keySets, smOnly, now }: Parts,
): Promise<void> {
  const { asymmetricKeyStore: store } = client as unknown as { asymmetricKeyStore: KeyStore }
  const { credential, dialect = {} } = application
  // Roots in a file that nobody has read are no roots: then no key counts.
  const { subject } = application.trust ?? {}
  const trust = application.trust && { roots: 'roots' in application.trust ? application.trust.roots : [], subject }
  const address = 'jwksUri' in credential ? credential.jwksUri : undefined
  if (!('jwks' in credential) && address === undefined) return

  const keysNow = async (): Promise<readonly ClientKey[]> => {
    const keys =
      'jwks' in credential
        ? parseClientKeys(standardKeys(credential.jwks, dialect))
        : await keySets.of(address as string, dialect)
    return certified(keys, trust, { smOnly, now: now() })
  }
  const due = (): boolean => {
    const last = filled.get(store)
    if (!last || (address !== undefined && !keySets.isFresh(address, dialect))) return true
    if (!isDeepStrictEqual([last.dialect, last.trust], [application.dialect, application.trust])) return true
    return trust !== undefined && now() >= last.at + certifiedMs
  }
  const fill = async (): Promise<void> => {
    const keys = await Promise.all((await keysNow()).map((key) => spoken(key, dialect)))
    // All at once, so that nobody finds the store empty.
    store.clear()
    for (const key of keys) store.add(key)
    filled.set(store, { at: now(), dialect: application.dialect, trust: application.trust })
  }
  if (address !== undefined) {
    store.fresh = () => keySets.isFresh(address, dialect)
    store.refresh = fill
  }
  if (due()) await fill()
}
