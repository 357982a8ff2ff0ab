/**
 * The revocation list at one address, kept until its end: fetched at most once at a time, anew in the background while
 * it is still valid, believed only if an authority that it may be of has signed it, and never exchanged for an older one.
 */
import { listsRevocations, readRevocationList, type RevocationList } from '#src/jose/x509-crl.ts'
import type { Certificate } from '#src/jose/x509-certificate.ts'

export interface HeldList {
  readonly list: RevocationList
  /** The authority that signed it. */
  readonly by: Certificate
}

export interface ListSource {
  /**
   * The newest list that is known, valid or not; where it is missing or due, another one is fetched in the background.
   * @param authorities who may have signed it
   */
  known(authorities: readonly Certificate[], now: number): HeldList | undefined
  /** Fetches it now; several who ask at once wait for one. Resolves also where it cannot be had. */
  load(authorities: readonly Certificate[], now: number): Promise<void>
}

interface Options {
  /** DER or PEM. @throws where there is none */
  readonly fetch: () => Promise<Buffer>
  readonly refreshMs: number
  /** Between two tries in the background. */
  readonly retryMs?: number
}

/** What is ahead of our clock by more is no list of today. */
const skewMs = 300_000

export const isCurrent = ({ list }: HeldList, now: number): boolean =>
  list.thisUpdate - skewMs <= now && now < list.nextUpdate

const armour = /^-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----\s*$/

function derOf(bytes: Buffer): Buffer {
  if (bytes[0] !== 0x2d) return bytes
  const [, body] = armour.exec(bytes.toString('latin1')) ?? []
  if (body === undefined) throw new TypeError('no revocation list')
  return Buffer.from(body, 'base64')
}

/** Whether the authority has gone back: to a list it made before, or to a lower number. */
function isOlder(list: RevocationList, than: RevocationList): boolean {
  if (list.number !== undefined && than.number !== undefined && list.number < than.number) return true
  return list.thisUpdate < than.thisUpdate
}

function signs(authority: Certificate, list: RevocationList): boolean {
  try {
    return listsRevocations(authority, list)
  } catch {
    return false // of an algorithm that is not understood
  }
}

export function createListSource({ fetch, refreshMs, retryMs = 60_000 }: Options): ListSource {
  /** By issuer, so that nobody goes back by way of another authority's list at this address. */
  const newest = new Map<string, HeldList>()
  let held: HeldList | undefined
  let fetchedAt = -Infinity
  let triedAt = -Infinity
  let loading: Promise<void> | undefined

  const fetched = async (authorities: readonly Certificate[], now: number): Promise<void> => {
    const list = readRevocationList(derOf(await fetch()))
    const by = authorities.find((authority) => signs(authority, list))
    if (!by) return
    const issuer = list.issuer.toString('hex')
    const before = newest.get(issuer)
    if (before && isOlder(list, before.list)) return
    held = { list, by }
    newest.set(issuer, held)
    fetchedAt = now
  }

  const load = (authorities: readonly Certificate[], now: number): Promise<void> => {
    triedAt = now
    loading ??= fetched(authorities, now)
      // A list that could not be had is missed where it is asked for.
      .catch(() => {})
      .finally(() => (loading = undefined))
    return loading
  }

  /** Missing, ending soon, or old enough. */
  const isDue = (now: number): boolean => {
    if (!held) return true
    const { thisUpdate, nextUpdate } = held.list
    return now - fetchedAt >= refreshMs || now >= thisUpdate + (nextUpdate - thisUpdate) / 2
  }

  return {
    known(authorities, now) {
      if (isDue(now) && now - triedAt >= retryMs) void load(authorities, now)
      return held
    },
    load,
  }
}
