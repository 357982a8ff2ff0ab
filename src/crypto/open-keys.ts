/** Opens the keys of a key file, each with its state at a moment, into what the rooms use. */
import { hmacSm3 } from 'jose'
import { AppError } from '#src/errors.ts'
import type { Kek } from './kek.ts'
import { keyLines, numberOf, openDecrypter, publicKeysOf, openSecret, openSigner } from './key-entry.ts'
import { refused, type KeyEntry, type KeyFile } from './key-file.ts'
import { faultsOfTurns, inOrder, lifeOf, type Moment } from './key-life.ts'
import type { Keys, KeyUse, Stated } from './keys.ts'
import type { Mac } from './mac.ts'
import { createSoftwareMac } from './software-mac.ts'
import { createSoftwareKeyWrapper } from './software-key-wrapper.ts'

/** An opened key and the entry it came from. */
interface Opened<Key> extends Stated<Key> {
  readonly entry: KeyEntry
}

/** Those that are not gone, in the order in which they are used. */
const livingIn = ({ keys }: KeyFile, moment: Moment): readonly Stated<KeyEntry>[] =>
  inOrder(
    keys.flatMap((key) => {
      const { state } = lifeOf(key, keys, moment)
      return state === 'gone' ? [] : [{ key, state }]
    }),
  )

const stated = <Key>(all: readonly Opened<Key>[]): readonly Stated<Key>[] =>
  all.map(({ key, state }) => ({ key, state }))

const keysOf = <Key>(all: readonly Opened<Key>[]) => all.map(({ key }) => key) as [Key, ...Key[]]

const macs = (secrets: readonly Opened<Buffer>[]) => keysOf(secrets).map(createSoftwareMac) as [Mac, ...Mac[]]

const wrapperOf = (wrapping: readonly Opened<Buffer>[]) =>
  createSoftwareKeyWrapper({
    current: wrapping[0]?.entry.kid ?? '',
    keys: Object.fromEntries(wrapping.map(({ key, entry }) => [entry.kid, key])),
  })

/** Opens every key that is not gone. @throws AppError `key_invalid` with everything that is wrong */
export async function openKeys(directory: string, file: KeyFile, kek: Kek, moment: Moment): Promise<Keys> {
  const living = livingIn(file, moment)
  const faults = faultsOfTurns(file.keys, keyLines)

  const openAll = async <Key>(use: KeyUse, open: (entry: KeyEntry, kek: Kek) => Key | Promise<Key>) => {
    const all: Opened<Key>[] = []
    for (const { key: entry, state } of living) {
      // Of an old audit key only the public half is left.
      const left = use === 'audit' && state === 'retired' && entry.sealed === undefined
      if (entry.use !== use || left) continue
      try {
        all.push({ key: await open(entry, kek), state, entry })
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        faults.push(`its key ${entry.kid} (${entry.use} ${entry.alg}) ${error.detail ?? 'does not open'}`)
      }
    }
    return all
  }

  const signers = await openAll('sig', openSigner)
  const decryption = await openAll('enc', openDecrypter)
  const audit = await openAll('audit', openSigner)
  const wrapping = await openAll('wrapping', openSecret)
  const index = await openAll('index', openSecret)
  const pairwise = await openAll('pairwise', openSecret)
  const rows = await openAll('rows', openSecret)
  const codes = await openAll('codes', openSecret)
  const cookies = await openAll('cookies', openSecret)
  if (faults.length > 0) throw refused(directory, `${faults.join('; ')}; restore it from the key backup`)

  return {
    described: living.map(({ key: { kid, use, alg }, state }) => ({ kid, use, alg, state })),
    signers: stated(signers),
    decrypters: stated(decryption),
    audit: keysOf(audit)[0],
    checkpointKeys: publicKeysOf(file.keys, 'audit'),
    wrapper: wrapperOf(wrapping),
    index: index.map(({ key, entry }) => ({ version: numberOf(entry), mac: createSoftwareMac(key) })),
    pairwise: macs(pairwise)[0],
    rows: macs(rows)[0],
    codes: macs(codes),
    // Derived: it protects nothing but counters of minutes, which may begin anew with another key.
    limits: createSoftwareMac(hmacSm3(keysOf(codes)[0], 'yihao limits')),
    cookies: keysOf(cookies),
  }
}
