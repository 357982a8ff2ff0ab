/** One request of a sign-in: which attempt, for whom, and how the citizen reads; and what of it the audit trail keeps. */
import type { AuditEvent } from '#src/audit/recorder.ts'
import type { Channel } from '#src/channels/channel.ts'
import type { Locale } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'

export interface Visit {
  readonly uid: string
  readonly application: string
  /** The application's name in the citizen's language. */
  readonly purpose: string
  readonly channel: Channel
  readonly asked: Level
  readonly locale: Locale
  readonly largeType: boolean
  readonly reference: string
  readonly address: string
  /** What the browser brings to be known by; whether it is known, `devices` says. */
  readonly device?: string | undefined
  /** The account that this browser is signed in to, the level of that session, and when it began, in milliseconds. */
  readonly session?: { readonly person: string; readonly level: Level; readonly since: number } | undefined
  /** The application is granted the document's number by law, and this request asks for it. */
  readonly numberByLaw?: boolean | undefined
}

export type Trail = Required<Pick<AuditEvent, 'reference' | 'address' | 'application' | 'channel'>>

export const trailOf = ({ reference, address, application, channel }: Visit): Trail => ({
  reference,
  address,
  application,
  channel: channel.name,
})
