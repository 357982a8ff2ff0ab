/**
 * Whether a path of certificates still stands: each of them, but for the root and what the settings themselves name, must
 * be on no current revocation list of its authority, and one must be there that says so (RFC 5280 §6.3).
 */
import { distributionPointsOf, isAbout } from '#src/jose/x509-crl.ts'
import type { Certificate } from '#src/jose/x509-certificate.ts'
import { AppError } from '#src/errors.ts'
import { createBreaker, type BreakerLimits } from '#src/peers/breaker.ts'
import { isCurrent, type HeldList, type ListSource } from './list-source.ts'

export type Standing = 'good' | 'revoked' | 'crl-unavailable' | 'crl-stale'

interface Options {
  /** The root and the intermediates that the settings name: the operator takes one out that is revoked. */
  readonly trusted: readonly Certificate[]
  readonly addresses: readonly string[]
  /** `name` or `name:port`, in lower case. */
  readonly hosts: readonly string[]
  readonly required: boolean
  readonly open: (address: string) => ListSource
  /** How long somebody waits for a list that is missing. */
  readonly waitMs: number
}

export interface Revocation {
  /** Has what will be needed fetched in the background. */
  prepare(now: number): void
  /**
   * @param path signer first, root last
   * @param patient whether a list that is missing is waited for
   */
  standing(path: readonly Certificate[], now: number, patient?: boolean): Promise<Standing>
  /** Are its lists left alone for a while, since they could not be had? */
  readonly down?: () => boolean
}

/**
 * With a breaker of its own: an authority whose lists cannot be had keeps nobody waiting, and hides no other one.
 * `standing` then throws AppError `verifier_unavailable` where the answer is neither `good` nor `revoked`. Whose lists
 * are at hand, he is judged by them all the while: an authority has many, and one that is lost is not everybody's.
 */
export function leftAlone(revocation: Revocation, limits: BreakerLimits): Revocation {
  const unavailable = (detail: string) => new AppError('verifier_unavailable', { detail: `certificate: ${detail}` })
  const isKnown = (standing: Standing) => standing === 'good' || standing === 'revoked'
  const breaker = createBreaker({ ...limits, whenDown: () => unavailable('its lists are left alone for a while') })
  return {
    prepare: (now) => revocation.prepare(now),
    down: () => breaker.down(),
    async standing(path, now) {
      const known = breaker.down() ? await revocation.standing(path, now, false) : undefined
      if (known && isKnown(known)) return known
      return breaker.run(async () => {
        const standing = await revocation.standing(path, now)
        if (!isKnown(standing)) throw unavailable(standing)
        return standing
      })
    },
  }
}

type Link = readonly [certificate: Certificate, authority: Certificate]

/** Addresses that certificates named are remembered up to so many. */
const maxSources = 256

export function createRevocation(options: Options): Revocation {
  const { trusted, addresses, hosts, required, waitMs } = options
  const sources = new Map<string, ListSource>()

  const sourceAt = (address: string): ListSource => {
    let source = sources.get(address)
    if (!source) {
      const eldest = sources.size >= maxSources && [...sources.keys()].find((one) => !addresses.includes(one))
      if (eldest) sources.delete(eldest)
      sources.set(address, (source = options.open(address)))
    }
    return source
  }

  /** An address in a certificate is its authority's word; it is followed only to hosts that the settings name. */
  const isAllowed = (address: string): boolean => {
    if (!/^https?:/i.test(address) || !URL.canParse(address)) return false
    const { host, hostname } = new URL(address)
    return hosts.includes(host) || hosts.includes(hostname)
  }

  const one = async ([certificate, authority]: Link, now: number, patient: boolean): Promise<Standing> => {
    const own = distributionPointsOf(certificate).filter(isAllowed).slice(0, 4)
    const asked = [...new Set([...addresses, ...own])].map(sourceAt)
    const authorities = [...trusted, authority]
    const known = (): readonly HeldList[] =>
      asked
        .map((source) => source.known(authorities, now))
        .filter((held) => held?.by.spki.equals(authority.spki) === true && isAbout(held.list, certificate))
        .filter((held) => held !== undefined)
    let lists = known()
    if (patient && !lists.some((held) => isCurrent(held, now))) {
      await atMost(waitMs, Promise.all(asked.map((source) => source.load(authorities, now))))
      lists = known()
    }
    if (lists.some(({ list }) => list.revoked.has(certificate.serial))) return 'revoked'
    if (lists.some((held) => isCurrent(held, now))) return 'good'
    return lists.length > 0 ? 'crl-stale' : 'crl-unavailable'
  }

  const isNamedBySettings = ({ der }: Certificate) => trusted.some((one) => one.der.equals(der))

  return {
    prepare(now) {
      for (const address of addresses) sourceAt(address).known(trusted, now)
    },

    async standing(path, now, patient = true) {
      for (let at = path.length - 2; at >= 0; at -= 1) {
        const [certificate, authority] = path.slice(at, at + 2) as unknown as Link
        const standing = await one([certificate, authority], now, patient)
        if (standing === 'revoked') return standing
        if (standing !== 'good' && required && !isNamedBySettings(certificate)) return standing
      }
      return 'good'
    },
  }
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise((done) => (timer = setTimeout(done, ms)))])
  clearTimeout(timer)
}
