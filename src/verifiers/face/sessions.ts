/**
 * Port: a service that compares a living face with the photograph of a document (活体检测 and 1:1 比对). A session is
 * made for one person; he acts at its address, on the service's pages; the result is asked for server-side. A result is
 * *passed* or it is not: scores are not read (GB/T 38671-2020: only pass or fail is returned), nor is any image.
 */
import type { DocumentKind } from '#src/identity/id-number.ts'
import type { Locale } from '#src/errors.ts'

export interface FaceRequest {
  /** Ours, of this session alone: 32 letters and digits that say nothing. */
  readonly order: string
  readonly kind: DocumentKind
  readonly number: string
  readonly name: string
  /** Where the service sends him back to. */
  readonly returnTo: string
  readonly locale: Locale
}

export interface FaceSession {
  /** The service's own name of it. */
  readonly session: string
  /** Where the citizen acts. */
  readonly url: string
}

export interface FaceResult {
  /** `unfinished`: he came back before he was looked at; `unknown`: the service has no such session, or no more. */
  readonly verdict: 'passed' | 'failed' | 'unfinished' | 'unknown'
  /** What the service repeats of the session and of whom it looked at; absent where it repeats none. */
  readonly session?: string | undefined
  readonly order?: string | undefined
  readonly number?: string | undefined
  readonly name?: string | undefined
}

export interface FaceSessions {
  readonly name: string
  /** The documents whose photographs it has; all, where it does not say. */
  readonly kinds?: readonly DocumentKind[]
  /** @throws PeerRefusal where it cannot look at this person, PeerFailure where it does not answer rightly in time */
  create(request: FaceRequest): Promise<FaceSession>
  /** @throws PeerFailure where it does not answer rightly in time */
  result(of: { readonly session: string; readonly order: string }): Promise<FaceResult>
  /** Has the service delete what it holds of a session that has ended. @throws PeerFailure */
  forget?(session: string): Promise<void>
}
