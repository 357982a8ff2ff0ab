/** One key of the key file: made, sealed, and opened again with its halves compared. */
import { randomBytes } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SGD_SM2_3, SGD_SM3_SM2, type JWK } from 'jose'
import { AppError } from '#src/errors.ts'
import type { Kek } from './kek.ts'
import { contextOf, type KeyEntry } from './key-file.ts'
import type { KeyUse } from './keys.ts'
import type { Decrypter } from './decrypter.ts'
import type { PublicJwk, Signer } from './signer.ts'
import { createSoftwareDecrypter } from './software-decrypter.ts'
import { createSoftwareSigner } from './software-signer.ts'

export type KeyLine = Pick<KeyEntry, 'use' | 'alg'>

/** A key of each of these makes a node; they are rotated one by one. */
export const keyLines: readonly KeyLine[] = [
  { use: 'sig', alg: SGD_SM3_SM2 },
  { use: 'sig', alg: 'ES256' },
  { use: 'sig', alg: 'RS256' },
  { use: 'enc', alg: SGD_SM2_3 },
  { use: 'audit', alg: SGD_SM3_SM2 },
  // GM/T 0006 names: the wrapping key encrypts, the other secrets make MACs.
  { use: 'wrapping', alg: 'SGD_SM4_CTR' },
  ...(['index', 'pairwise', 'rows', 'cookies', 'codes'] as const).map((use) => ({ use, alg: 'SGD_SM3_HMAC' })),
]

const isPair = (use: KeyUse): boolean => use === 'sig' || use === 'enc' || use === 'audit'

type Times = Pick<KeyEntry, 'created' | 'activeFrom'>

async function newPair(line: KeyLine, times: Times, kek: Kek): Promise<KeyEntry> {
  const { privateKey } = await generateKeyPair(line.alg, { extractable: true })
  const { kty = '', crv, x, y, n, e, key_ops: _ops, ext: _ext, ...secret } = await exportJWK(privateKey)
  const publicJwk = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as NonNullable<KeyEntry['publicJwk']>
  const kid = await calculateJwkThumbprint(publicJwk as JWK)
  const sealed = kek.seal(Buffer.from(JSON.stringify(secret)), contextOf({ ...line, kid }))
  return { kid, ...line, ...times, publicJwk, sealed }
}

export const numberOf = ({ kid }: Pick<KeyEntry, 'kid'>): number => Number(/-(\d+)$/.exec(kid)?.[1] ?? 0)

function newSecret(line: KeyLine, times: Times, number: number, kek: Kek): KeyEntry {
  const kid = `${line.use}-${number}`
  return { kid, ...line, ...times, sealed: kek.seal(randomBytes(32), contextOf({ ...line, kid })) }
}

/** @param before the keys there are: a secret gets the next number of its use */
export async function newEntry(line: KeyLine, times: Times, before: readonly KeyEntry[], kek: Kek): Promise<KeyEntry> {
  if (isPair(line.use)) return newPair(line, times, kek)
  const numbers = before.filter(({ use }) => use === line.use).map(numberOf)
  return newSecret(line, times, Math.max(0, ...numbers) + 1, kek)
}

/** Without a cause: what complains of a key may quote it. */
const unusable = () => new AppError('key_invalid', { detail: 'does not open, or its halves do not belong together' })

async function usable<Opened>(open: () => Opened | Promise<Opened>, fits: (opened: Opened) => boolean) {
  const opened = await (async () => open())().catch(() => undefined)
  if (opened === undefined || !fits(opened)) throw unusable()
  return opened
}

/** The 32 bytes of a secret. @throws AppError `key_invalid` */
export const openSecret = (entry: KeyEntry, kek: Kek): Promise<Buffer> =>
  usable(
    () => kek.open(entry.sealed ?? '', contextOf(entry)),
    ({ length }) => length === 32,
  )

async function openPair(entry: KeyEntry, kek: Kek): Promise<JWK> {
  const { publicJwk, sealed = '', kid } = entry
  const secret = JSON.parse(kek.open(sealed, contextOf(entry)).toString('utf8')) as object
  if (!publicJwk || (await calculateJwkThumbprint(publicJwk as JWK)) !== kid) throw unusable()
  return { ...secret, ...publicJwk }
}

/** @throws AppError `key_invalid` */
export const openSigner = (entry: KeyEntry, kek: Kek): Promise<Signer> =>
  usable(
    async () => createSoftwareSigner(await openPair(entry, kek)),
    ({ alg }) => alg === entry.alg,
  )

/** What opens tokens encrypted to us. @throws AppError `key_invalid` */
export const openDecrypter = (entry: KeyEntry, kek: Kek): Promise<Decrypter> =>
  usable(
    async () => createSoftwareDecrypter(await openPair(entry, kek)),
    ({ kid }) => kid === entry.kid,
  )

/** The same key under another KEK. @throws AppError `sealed_value_invalid` */
export function resealed(entry: KeyEntry, from: Kek, to: Kek): KeyEntry {
  const { sealed } = entry
  if (sealed === undefined) return entry
  return { ...entry, sealed: to.seal(from.open(sealed, contextOf(entry)), contextOf(entry)) }
}

/** The public halves of a use, of old keys as well. */
export const publicKeysOf = (keys: readonly KeyEntry[], wanted: KeyUse): readonly PublicJwk[] =>
  keys.flatMap(({ use, kid, alg, publicJwk }) =>
    use === wanted && publicJwk ? [{ ...publicJwk, kid, alg, use: 'sig' } as PublicJwk] : [],
  )
