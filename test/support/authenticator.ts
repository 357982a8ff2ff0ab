/**
 * A software authenticator, written from the text of WebAuthn (§6, §7) and knowing nothing of the server's library: makes
 * ES256 passkeys and answers challenges, and lies in any part of them where a test asks it to.
 */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'

type Cbor = number | string | Buffer | Map<number | string, Cbor>

/** RFC 8949, the few kinds that are needed here. */
function cbor(value: Cbor): Buffer {
  const head = (major: number, n: number): Buffer =>
    n < 24
      ? Buffer.from([(major << 5) | n])
      : n < 256
        ? Buffer.from([(major << 5) | 24, n])
        : Buffer.from([(major << 5) | 25, n >> 8, n & 255])
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value])
  return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, one]) => [cbor(key), cbor(one)])])
}

/** What an authenticator or its browser may say falsely. */
export interface Lies {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  readonly crossOrigin?: boolean
  readonly userVerified?: boolean
  readonly syncable?: boolean
  readonly synced?: boolean
  readonly counter?: number
  readonly userHandle?: string
  readonly id?: string
  /** Made by the key of another credential. */
  readonly signedBy?: KeyObject
  /** Attestation statement and its format in place of none. */
  readonly attestation?: readonly [format: string, statement: Map<string, Cbor>]
}

export interface Credential {
  readonly id: string
  readonly handle: string
  readonly privateKey: KeyObject
  counter: number
}

interface CreationOptions {
  readonly challenge: string
  readonly user: { readonly id: string }
}

export interface Authenticator {
  readonly credentials: Credential[]
  /** `navigator.credentials.create`, as the JSON that a page sends. */
  make(options: unknown, lies?: Lies): string
  /** `navigator.credentials.get` with the newest credential. */
  answer(options: unknown, lies?: Lies): string
}

interface Options {
  readonly origin: string
  readonly rpId?: string
  /** May its passkeys leave the device, and have they? */
  readonly syncable?: boolean
  readonly synced?: boolean
  /** Synced passkeys do not count. */
  readonly counts?: boolean
}

const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest()

export function createAuthenticator(options: Options): Authenticator {
  const { origin, rpId = new URL(origin).hostname, syncable = false, synced = false, counts = !syncable } = options
  const credentials: Credential[] = []

  const clientData = (type: string, challenge: string, lies: Lies): Buffer =>
    Buffer.from(
      JSON.stringify({
        type: lies.type ?? type,
        challenge: lies.challenge ?? challenge,
        origin: lies.origin ?? origin,
        crossOrigin: lies.crossOrigin ?? false,
      }),
    )

  const dataFor = (counter: number, lies: Lies, attested?: Buffer): Buffer => {
    const flags =
      0x01 |
      ((lies.userVerified ?? true) ? 0x04 : 0) |
      ((lies.syncable ?? syncable) ? 0x08 : 0) |
      ((lies.synced ?? synced) ? 0x10 : 0) |
      (attested ? 0x40 : 0)
    const count = Buffer.alloc(4)
    count.writeUInt32BE(lies.counter ?? counter)
    return Buffer.concat([sha256(lies.rpId ?? rpId), Buffer.from([flags]), count, attested ?? Buffer.alloc(0)])
  }

  return {
    credentials,

    make(given, lies = {}) {
      const { challenge, user } = given as CreationOptions
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
      const key: [number, Cbor][] = [
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(x, 'base64url')],
        [-3, Buffer.from(y, 'base64url')],
      ]
      const raw = lies.id === undefined ? randomBytes(32) : Buffer.from(lies.id, 'base64url')
      const id = raw.toString('base64url')
      const attested = Buffer.concat([
        ...[Buffer.alloc(16), Buffer.from([raw.length >> 8, raw.length & 255]), raw],
        cbor(new Map(key)),
      ])
      credentials.push({ id, handle: user.id, privateKey, counter: 0 })
      const [format, statement] = lies.attestation ?? ['none', new Map()]
      const object = new Map<string, Cbor>([
        ['fmt', format],
        ['attStmt', statement],
        ['authData', dataFor(0, lies, attested)],
      ])
      const response = {
        clientDataJSON: clientData('webauthn.create', challenge, lies).toString('base64url'),
        attestationObject: cbor(object).toString('base64url'),
        transports: ['internal'],
      }
      return JSON.stringify({ id, rawId: id, type: 'public-key', response })
    },

    answer(given, lies = {}) {
      const { challenge } = given as { readonly challenge: string }
      const credential = credentials.at(-1) as Credential
      if (counts) credential.counter += 1
      const client = clientData('webauthn.get', challenge, lies)
      const data = dataFor(credential.counter, lies)
      const signature = sign('sha256', Buffer.concat([data, sha256(client)]), lies.signedBy ?? credential.privateKey)
      const id = lies.id ?? credential.id
      const response = {
        clientDataJSON: client.toString('base64url'),
        authenticatorData: data.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: lies.userHandle ?? credential.handle,
      }
      return JSON.stringify({ id, rawId: id, type: 'public-key', response })
    },
  }
}
