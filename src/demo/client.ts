/** What the two applications of the demo city need of an OpenID Connect client; each brings its own. */

/** Kept in the application's session between leaving and coming back. */
export interface Started {
  readonly url: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

export interface SignedInCitizen {
  /** The compact ID token, whose signature the client has verified. */
  readonly idToken: string
  readonly algorithm: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly userinfo: Readonly<Record<string, unknown>>
}

export interface DemoClient {
  start(): Promise<Started>
  /** @throws Error where anything about the answer is not right */
  finish(callback: URL, started: Started): Promise<SignedInCitizen>
  /** Verifies a logout token and gives the `sid` it ends. */
  endedSession(logoutToken: string): Promise<string>
  logoutUrl(idToken: string): Promise<string>
}
