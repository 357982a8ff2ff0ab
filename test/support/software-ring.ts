/**
 * A `KeyRing` of software keys for tests of what stands around it; its keys come from a seed that can be written to a
 * file, so that a daemon that is started again has the same ones. Its keys can be exchanged.
 */
import { randomBytes } from 'node:crypto'
import { exportJWK, generateKeyPair, SGD_SM2_3, SGD_SM3_SM2, type JWK } from 'jose'
import type { KeyRing, Keys } from '#src/crypto/keys.ts'
import { createSoftwareDecrypter } from '#src/crypto/software-decrypter.ts'
import { createSoftwareKeyWrapper } from '#src/crypto/software-key-wrapper.ts'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { createSoftwareSigner } from '#src/crypto/software-signer.ts'

export interface KeySeed {
  readonly signing: readonly JWK[]
  /** The first is active, the others are retired. */
  readonly decryption: readonly JWK[]
  readonly audit: JWK
  /** 32 bytes, base64url; the MAC and cookie keys come from it. */
  readonly secret: string
  /** By id, like that; the last one wraps. */
  readonly wrapping: Readonly<Record<string, string>>
}

const fresh = async (alg: string): Promise<JWK> =>
  exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)

export const newSecret = () => randomBytes(32).toString('base64url')

export async function newKeySeed(): Promise<KeySeed> {
  const [audit, ...signing] = await Promise.all([SGD_SM3_SM2, SGD_SM3_SM2, 'ES256', 'RS256'].map(fresh))
  const decryption = await Promise.all([SGD_SM2_3, SGD_SM2_3].map(fresh))
  return { signing, decryption, audit: audit as JWK, secret: newSecret(), wrapping: { 1: newSecret() } }
}

export async function softwareKeys({ signing, decryption, audit, secret, wrapping }: KeySeed): Promise<Keys> {
  const bytes = Buffer.from(secret, 'base64url')
  const mac = (name: string) => createSoftwareMac(Buffer.concat([bytes, Buffer.from(name)]))
  const signers = await Promise.all(signing.map((jwk) => createSoftwareSigner(jwk)))
  const decrypters = await Promise.all(decryption.map((jwk) => createSoftwareDecrypter(jwk)))
  const auditSigner = await createSoftwareSigner(audit)
  const described = [
    ...signers.map(({ kid, alg }) => ({ kid, use: 'sig' as const, alg, state: 'active' as const })),
    { kid: 'codes-1', use: 'codes' as const, alg: 'HMAC-SM3', state: 'active' as const },
  ]
  return {
    described,
    signers: signers.map((key) => ({ key, state: 'active' as const })),
    decrypters: decrypters.map((key, n) => ({ key, state: n === 0 ? 'active' : 'retired' })),
    audit: auditSigner,
    checkpointKeys: [auditSigner.publicJwk],
    wrapper: createSoftwareKeyWrapper({
      current: Object.keys(wrapping).at(-1) ?? '',
      keys: Object.fromEntries(Object.entries(wrapping).map(([id, text]) => [id, Buffer.from(text, 'base64url')])),
    }),
    index: [{ version: 1, mac: mac('index') }],
    ...{ pairwise: mac('pairwise'), rows: mac('rows'), limits: mac('limits') },
    codes: [mac('codes')],
    cookies: [bytes],
  }
}

export interface ChangeableRing extends KeyRing {
  change(keys: Keys): void
}

export function ringOf(first: Keys): ChangeableRing {
  let keys = first
  const listeners: (() => void)[] = []
  return {
    current: () => keys,
    onChange: (listener) => void listeners.push(listener),
    close: async () => undefined,
    change(next) {
      keys = next
      listeners.forEach((listener) => listener())
    },
  }
}
