/**
 * The verifier `passkey`: 本机指纹或面容, a WebAuthn credential that the citizen's device keeps and opens by fingerprint,
 * face or PIN. It asks for no phone and no name: the credential says whose it is. One that cannot leave its device
 * reaches L3, one that can (backup eligible, wherever it is just now) L2 (DESIGN D8).
 *
 * Only a MAC of the challenge is kept, over attempt, channel and expiry as well, so that none of them can be exchanged.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { generateAuthenticationOptions, verifyAuthenticationResponse } from '@simplewebauthn/server'
import { z } from 'zod'
import { sessionLevel, type Level } from '#src/identity/assurance.ts'
import type { Json } from '#src/storage/storage.ts'
import { createBinder, type Macs } from '../binder.ts'
import type { Claim, Outcome, Verifier } from '../verifier.ts'
import { clientDataOf, readAssertion, whyRefused, type Assertion, type Site } from './answers.ts'
import type { Passkey, PasskeyStore } from './store.ts'

interface Dependencies {
  readonly site: Site
  readonly store: Pick<PasskeyStore, 'find' | 'used'>
  readonly macs: Macs
  /** Seconds. */
  readonly validity: number
  /** The most that one reaches which was added in a session of level 2. */
  readonly addedAt2: Level
  /** Told of a person whose passkey has counted backwards: there may be a copy of it (WebAuthn §6.1.1). */
  readonly onCopied: (person: string) => Promise<void>
}

const boundSchema = z.object({
  attempt: z.string(),
  channel: z.string(),
  expiresAt: z.number(),
  reference: z.string(),
})
const keepSchema = boundSchema.extend({ mac: z.string() })

/** Shown to nobody and told to the trail: what was wrong with an answer. */
const refused = (detail: string): Outcome => ({ ok: false, reason: 'mismatch', detail })

/** RFC 8176: the key is in one piece of hardware, or software carries it about; the user was there and unlocked it. */
const methods = ({ syncable }: Pick<Passkey, 'syncable'>): readonly string[] =>
  syncable ? ['swk', 'user'] : ['hwk', 'user']

export function createPasskeyVerifier(deps: Dependencies): Verifier {
  const { site, store } = deps

  const binder = createBinder('passkey', deps.macs)
  const partsOf = ({ attempt, channel, expiresAt, reference }: z.infer<typeof boundSchema>) =>
    [attempt, channel, expiresAt, reference] as const

  /** The library's word on an answer to this challenge. */
  const verified = async (response: Assertion, challenge: string, { id, publicKey }: Passkey) => {
    try {
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response,
        expectedChallenge: challenge,
        expectedOrigin: site.origin,
        expectedRPID: site.rpId,
        requireUserVerification: true,
        // The count is compared here, apart from what makes an answer wrong.
        credential: { id, publicKey: Buffer.from(publicKey, 'base64url'), counter: 0 },
      })
      return verified ? authenticationInfo : undefined
    } catch {
      return undefined
    }
  }

  const levelOf = ({ syncable, addedAt }: Passkey): Level =>
    sessionLevel(syncable ? 2 : 3, addedAt >= 3 ? addedAt : deps.addedAt2)

  return {
    name: 'passkey',
    amr: ['hwk', 'swk', 'user'],
    cap: 3,
    // An answer ends its challenge, right or wrong; the page fetches another.
    tries: 1,
    by: 'device',
    enrolled: true,

    async begin(claim: Claim) {
      const challenge = randomBytes(32)
      const options = await generateAuthenticationOptions({
        rpID: site.rpId,
        challenge,
        timeout: deps.validity * 1000,
        userVerification: 'required',
      })
      const expiresAt = claim.now + deps.validity * 1000
      const bound = { attempt: claim.attempt, channel: claim.channel, expiresAt, reference: randomUUID() }
      const mac = await binder.bind(challenge.toString('base64url'), ...partsOf(bound))
      return {
        show: { options: options as unknown as Json },
        keep: { ...bound, mac },
        expiresAt,
      }
    },

    async finish(claim: Claim, keep: unknown, input: unknown) {
      const kept = keepSchema.safeParse(keep).data
      if (!kept || kept.attempt !== claim.attempt || kept.channel !== claim.channel)
        return { ok: false, reason: 'foreign' }
      if (claim.now >= kept.expiresAt) return { ok: false, reason: 'expired' }
      const answer = readAssertion(input)
      if (!answer) return refused('malformed')
      const client = clientDataOf(answer.response.clientDataJSON)
      const { challenge } = client
      if (typeof challenge !== 'string' || !(await binder.holds(kept.mac, challenge, ...partsOf(kept))))
        return refused('challenge')
      const passkey = await store.find(answer.id)
      if (!passkey) return refused('unknown')
      if (answer.response.userHandle !== passkey.handle) return refused('user')
      const info = client.crossOrigin === true ? undefined : await verified(answer, challenge, passkey)
      if (!info) {
        const data = Buffer.from(answer.response.authenticatorData, 'base64url')
        return refused(whyRefused(site, 'webauthn.get', client, data))
      }
      // WebAuthn §7.2, step 21: whether it may leave its device never changes.
      if ((info.credentialDeviceType === 'multiDevice') !== passkey.syncable) return refused('backup-eligibility')
      const { newCounter: counter, credentialBackedUp: synced } = info
      const isBehind = (counter > 0 || passkey.counter > 0) && counter <= passkey.counter
      if (isBehind || !(await store.used(passkey, { counter, synced, at: claim.now }))) {
        // One that was removed a moment ago is not found any more, and is no copy.
        if (!(await store.find(passkey.id))) return refused('unknown')
        await deps.onCopied(passkey.person)
        return refused('counter')
      }
      return {
        ok: true,
        evidence: {
          verifier: 'passkey',
          amr: methods(passkey),
          level: levelOf(passkey),
          at: claim.now,
          reference: kept.reference,
          subject: { person: passkey.person },
        },
      }
    },
  }
}
