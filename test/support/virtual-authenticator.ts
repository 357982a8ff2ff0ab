/** Chromium's virtual authenticator over CDP: the fingerprint reader of a page, which says yes by itself. */
import type { CDPSession, Page } from 'playwright-core'

interface Kind {
  /** Its passkeys may leave the device, and have. */
  readonly synced?: boolean
}

export interface VirtualAuthenticator {
  readonly session: CDPSession
  readonly id: string
  /** From now on the user is recognised, or not. */
  recognise(user: boolean): Promise<void>
  count(): Promise<number>
  remove(): Promise<void>
}

export async function plugIn(page: Page, { synced = false }: Kind = {}): Promise<VirtualAuthenticator> {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable', { enableUI: false })
  const { authenticatorId: id } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      defaultBackupEligibility: synced,
      defaultBackupState: synced,
    },
  })
  return {
    session,
    id,
    recognise: async (isUserVerified) =>
      void (await session.send('WebAuthn.setUserVerified', { authenticatorId: id, isUserVerified })),
    count: async () => (await session.send('WebAuthn.getCredentials', { authenticatorId: id })).credentials.length,
    remove: async () => void (await session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: id })),
  }
}
