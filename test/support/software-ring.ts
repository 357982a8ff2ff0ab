/**
 * A `KeyRing` of software keys for tests of what stands around it; its keys come from a seed that can be written to a
 * file, so that a daemon that is started again has the same ones. Its keys can be exchanged.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { exportJWK, generateKeyPair, SGD_SM3_SM2, type JWK } from 'jose'
import type { KeyRing, Keys } from '#src/crypto/keys.ts'
import type { KeyWrapper } from '#src/crypto/key-wrapper.ts'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { createSoftwareSigner } from '#src/crypto/software-signer.ts'
import { AppError } from '#src/errors.ts'

export interface KeySeed {
  readonly signing: readonly JWK[]
  readonly audit: JWK
  /** 32 bytes, base64url. */
  readonly secret: string
}

const fresh = async (alg: string): Promise<JWK> =>
  exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)

export async function newKeySeed(): Promise<KeySeed> {
  const [audit, ...signing] = await Promise.all([SGD_SM3_SM2, SGD_SM3_SM2, 'ES256', 'RS256'].map(fresh))
  return { signing, audit: audit as JWK, secret: randomBytes(32).toString('base64url') }
}

/** An envelope that is enough to tell a changed one; the real one is `src/crypto`'s. */
function wrapperOf(secret: Buffer): KeyWrapper {
  const invalid = () => new AppError('sealed_value_invalid', { detail: 'changed' })
  return {
    async wrap(dataKey, context) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', secret, iv).setAAD(Buffer.from(context))
      const text = Buffer.concat([cipher.update(dataKey), cipher.final()])
      return `1.${Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url')}`
    },
    async unwrap(wrapped, context) {
      const bytes = Buffer.from(wrapped.replace(/^1\./, ''), 'base64url')
      if (`1.${bytes.toString('base64url')}` !== wrapped || bytes.length < 28) throw invalid()
      const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(0, 12)).setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(12, 28))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()])
      } catch {
        throw invalid()
      }
    },
    isCurrent: async (wrapped) => wrapped.startsWith('1.'),
  }
}

export async function softwareKeys({ signing, audit, secret }: KeySeed): Promise<Keys> {
  const bytes = Buffer.from(secret, 'base64url')
  const mac = (name: string) => createSoftwareMac(Buffer.concat([bytes, Buffer.from(name)]))
  const signers = await Promise.all(signing.map((jwk) => createSoftwareSigner(jwk)))
  return {
    signers: signers.map((key) => ({ key, state: 'active' as const })),
    decrypters: [],
    audit: await createSoftwareSigner(audit),
    wrapper: wrapperOf(bytes),
    index: [{ version: 1, mac: mac('index') }],
    ...{ pairwise: mac('pairwise'), rows: mac('rows'), codes: mac('codes'), limits: mac('limits') },
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
