/**
 * The ceremony by which a device makes a passkey (WebAuthn §7.1): discoverable, unlocked by its user, and without
 * attestation, so that no device is told from its like and no foreign service is asked about it (DESIGN D18).
 */
import { generateRegistrationOptions, verifyRegistrationResponse } from '@simplewebauthn/server'
import { decodeAttestationObject, isoBase64URL } from '@simplewebauthn/server/helpers'
import type { Json } from '#src/storage/storage.ts'
import { clientDataOf, readAttestation, whyRefused, type Site } from './answers.ts'
import type { Passkey } from './store.ts'

export interface NewPasskeyFor {
  /** Base64url. */
  readonly challenge: string
  readonly handle: string
  /** What the device shows when it asks which account: it may be synced anywhere, so it is masked as on a page. */
  readonly label: string
  readonly existing: readonly Pick<Passkey, 'id' | 'transports'>[]
}

/** What the device has made. */
export type Made = Pick<Passkey, 'id' | 'publicKey' | 'counter' | 'transports' | 'syncable' | 'synced'>

export interface Enrolment {
  options(input: NewPasskeyFor): Promise<Json>
  /** @returns what was made, or the stable code of what was wrong with it */
  verify(challenge: string, answer: unknown): Promise<{ readonly made: Made } | { readonly wrong: string }>
}

interface Dependencies {
  readonly site: Site
  /** What the device calls us. */
  readonly siteName: string
  /** Seconds. */
  readonly validity: number
}

/** ES256, EdDSA, RS256 (IANA COSE Algorithms): what devices have. There is no registered number for SM2. */
const algorithms = [-7, -8, -257]

/**
 * Whether a certificate comes along. We asked for none, and the library would fetch the revocation list that it names:
 * an address of a stranger's choice.
 */
function isAttested(attestationObject: string): boolean {
  try {
    const object = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject))
    const format = object.get('fmt')
    return format !== 'none' && !(format === 'packed' && object.get('attStmt').get('x5c') === undefined)
  } catch {
    return true
  }
}

function authenticatorDataOf(attestationObject: string): Uint8Array {
  return decodeAttestationObject(isoBase64URL.toBuffer(attestationObject)).get('authData')
}

export function createEnrolment({ site, siteName, validity }: Dependencies): Enrolment {
  return {
    async options({ challenge, handle, label, existing }) {
      const options = await generateRegistrationOptions({
        rpName: siteName,
        rpID: site.rpId,
        challenge: isoBase64URL.toBuffer(challenge),
        userID: isoBase64URL.toBuffer(handle),
        userName: label,
        userDisplayName: label,
        timeout: validity * 1000,
        attestationType: 'none',
        excludeCredentials: existing.map(({ id, transports }) => ({ id, transports: [...transports] as never })),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        supportedAlgorithmIDs: algorithms,
      })
      return options as unknown as Json
    },

    async verify(challenge, answer) {
      const response = readAttestation(answer)
      if (!response) return { wrong: 'malformed' }
      const { clientDataJSON, attestationObject, transports = [] } = response.response
      if (isAttested(attestationObject)) return { wrong: 'attestation' }
      const client = clientDataOf(clientDataJSON)
      if (client.challenge !== challenge) return { wrong: 'challenge' }
      if (client.crossOrigin === true) return { wrong: 'origin' }
      try {
        const { verified, registrationInfo: info } = await verifyRegistrationResponse({
          response,
          expectedChallenge: challenge,
          expectedOrigin: site.origin,
          expectedRPID: site.rpId,
          requireUserVerification: true,
          supportedAlgorithmIDs: algorithms,
        })
        if (!verified) return { wrong: 'signature' }
        const { credential, credentialDeviceType, credentialBackedUp } = info
        return {
          made: {
            id: credential.id,
            publicKey: Buffer.from(credential.publicKey).toString('base64url'),
            counter: credential.counter,
            transports,
            syncable: credentialDeviceType === 'multiDevice',
            synced: credentialBackedUp,
          },
        }
      } catch {
        return { wrong: whyRefused(site, 'webauthn.create', client, authenticatorDataOf(attestationObject)) }
      }
    },
  }
}
