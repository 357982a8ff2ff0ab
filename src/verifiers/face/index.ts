/**
 * The verifier `face`: 人脸识别, a living face compared with the photograph of the document by a service that the city
 * has chosen (RFC 8176 `face`), to L3 at most (DESIGN D8). The citizen acts on the service's pages, so nothing of an image
 * passes through this server; what is kept is result, reference and time.
 *
 * Whatever he brings back is ignored: the service is asked, server-side, about the session that was made for this
 * attempt. A MAC binds that session to attempt, channel, person and expiry, so that none of them can be exchanged.
 */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import { isUnder14 } from '#src/identity/calendar.ts'
import { birthDateIn, documentKinds } from '#src/identity/id-number.ts'
import { sameName } from '#src/identity/name.ts'
import { PeerRefusal } from '#src/peers/signed-http.ts'
import { createBinder, type Macs } from '../binder.ts'
import type { Claim, Named, Outcome, Verifier } from '../verifier.ts'
import type { FaceResult, FaceSession, FaceSessions } from './sessions.ts'

interface Dependencies {
  readonly sessions: FaceSessions
  /** The first is for new sessions, all of them check one. */
  readonly macs: Macs
  /** Seconds from leaving to coming back. */
  readonly validity: number
  readonly consent: NonNullable<Verifier['consent']>
  /** Hears why the service did not delete what it holds. */
  readonly onFault: (error: unknown) => void
}

const namedSchema = z.object({ kind: z.enum(documentKinds), number: z.string().min(1), name: z.string().min(1) })
const boundSchema = namedSchema.extend({
  attempt: z.string(),
  channel: z.string(),
  session: z.string(),
  order: z.string(),
  expiresAt: z.number(),
})
type Bound = z.infer<typeof boundSchema>
const keepSchema = boundSchema.extend({ mac: z.string() })

/** Nobody is told more than that it was not he; the trail says what was wrong. */
const refused = (detail: string): Outcome => ({ ok: false, reason: 'rejected', detail })

const isLoopback = (hostname: string) => ['localhost', '127.0.0.1', '[::1]'].includes(hostname)

/** An address to which a citizen may be sent: encrypted, and with nothing of his in it. */
function mayLeaveTo(url: string, { number, name }: Pick<Named, 'number' | 'name'>): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, href } = new URL(url)
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback(hostname))) return false
  const spelled = href.toUpperCase()
  return ![number, encodeURIComponent(name), encodeURIComponent(number)].some((one) =>
    spelled.includes(one.toUpperCase()),
  )
}

/** A session id goes into the audit trail, so that it must be one. */
const isReference = (session: string) => /^[\w.:-]{1,200}$/.test(session)

/** The code of what speaks against this result; undefined: it is an explicit pass of this session and this person. */
function objection({ session, order, number, name }: Bound, result: FaceResult): string | undefined {
  if (result.session !== undefined && result.session !== session) return 'other-session'
  if (result.order !== undefined && result.order !== order) return 'other-session'
  if (result.number !== undefined && result.number.toUpperCase() !== number.toUpperCase()) return 'other-person'
  if (result.name !== undefined && !sameName(result.name, name)) return 'other-person'
  return result.verdict === 'passed' ? undefined : result.verdict
}

export function createFaceVerifier({ sessions, macs, validity, consent, onFault }: Dependencies): Verifier {
  const binder = createBinder('face', macs)
  const partsOf = ({ attempt, channel, session, order, kind, number, name, expiresAt }: Bound) =>
    [attempt, channel, session, order, kind, number, name, expiresAt] as const

  const create = async (claim: Claim, order: string, person: Named): Promise<FaceSession> => {
    if (!claim.returnTo) throw new AppError('bad_request', { detail: 'face: there is nowhere to come back to' })
    const returnTo = new URL(claim.returnTo.url)
    returnTo.searchParams.set('state', claim.returnTo.state)
    try {
      return await sessions.create({ ...person, order, returnTo: returnTo.href, locale: claim.locale })
    } catch (cause) {
      if (cause instanceof PeerRefusal) throw new AppError('document_unfit', { detail: `face: ${cause.detail}` })
      throw cause
    }
  }

  return {
    name: 'face',
    amr: ['face'],
    cap: 3,
    // The service is asked once; whoever was not recognised begins anew.
    tries: 1,
    by: 'redirect',
    named: true,
    facial: true,
    consent,

    async begin(claim, input) {
      const person = namedSchema.safeParse(input).data
      // Not the parser's own error: it may quote what it was given.
      if (!person) throw new AppError('bad_request', { detail: 'face: nobody is named' })
      const birthDate = birthDateIn(person.number)
      if (birthDate !== undefined && isUnder14(birthDate, claim.now))
        throw new AppError('bad_request', { detail: 'face: under 14' })
      if (sessions.kinds?.includes(person.kind) === false)
        throw new AppError('document_unfit', { detail: `face: ${person.kind}` })
      const order = randomBytes(16).toString('hex')
      const { session, url } = await create(claim, order, person)
      if (!isReference(session) || !mayLeaveTo(url, person))
        throw new AppError('verifier_unavailable', { detail: 'face: the service made no session that can be used' })
      const expiresAt = claim.now + validity * 1000
      const bound = { ...person, attempt: claim.attempt, channel: claim.channel, session, order, expiresAt }
      const mac = await binder.bind(...partsOf(bound))
      return { show: {}, keep: { ...bound, mac }, expiresAt, reference: session, leaveTo: url }
    },

    async finish(claim, keep) {
      const kept = keepSchema.safeParse(keep).data
      const isOurs = kept && (await binder.holds(kept.mac, ...partsOf(kept)))
      if (!kept || !isOurs || kept.attempt !== claim.attempt || kept.channel !== claim.channel)
        return { ok: false, reason: 'foreign' }
      if (claim.now >= kept.expiresAt) return { ok: false, reason: 'expired' }
      const { session, order, kind, number, name } = kept
      const result = await sessions.result({ session, order })
      if (result.verdict !== 'unfinished') sessions.forget?.(session).catch(onFault)
      const wrong = objection(kept, result)
      if (wrong !== undefined) return refused(wrong)
      return {
        ok: true,
        evidence: {
          verifier: 'face',
          amr: ['face'],
          level: 3,
          at: claim.now,
          reference: session,
          subject: { kind, number, name },
        },
      }
    },
  }
}
