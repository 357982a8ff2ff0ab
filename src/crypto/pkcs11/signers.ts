/**
 * The `Signer` of keys in a PKCS#11 token: ES256 and RS256 (RFC 7518 §3). The digest of ES256 is made here, since plain
 * CKM_ECDSA is what every token has; of RS256 the token makes it, so that it signs nothing but a SHA-256 digest.
 */
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { calculateJwkThumbprint } from 'jose'
import { AppError } from '#src/errors.ts'
import type { PublicJwk, Signer } from '../signer.ts'
import { CKM, CryptokiError, loadCryptoki, type Cryptoki } from './cryptoki.ts'
import { openToken, type Token } from './token.ts'

export interface Pkcs11Settings {
  /** The vendor's shared library. */
  readonly module: string
  /** Label of the token. */
  readonly token: string
  /** The PIN and nothing else; readable by its owner only. */
  readonly pinFile: string
  readonly signers: readonly { readonly label: string; readonly alg: 'ES256' | 'RS256' }[]
  /** Signatures at once; 4 unless said otherwise. */
  readonly sessions?: number
  /** How long a signature may take; 2,000 unless said otherwise. */
  readonly timeoutMs?: number
}

export interface HardwareSigners {
  readonly signers: readonly Signer[]
  close(): Promise<void>
}

const invalid = (detail: string, cause?: unknown) => new AppError('key_invalid', { detail, cause })

/** Without a line end, which an editor leaves. */
function readPin(file: string): Uint8Array {
  try {
    if ((statSync(file).mode & 0o077) !== 0) throw invalid(`${file}: can be read by others; run: chmod 600 on it`)
    const bytes = readFileSync(file)
    return bytes.subarray(
      0,
      bytes.length - (/\r?\n$/.exec(bytes.toString('latin1', bytes.length - 2))?.[0].length ?? 0),
    )
  } catch (cause) {
    throw cause instanceof AppError ? cause : invalid(`${file} cannot be read; it holds the PIN of the token`, cause)
  }
}

/** @throws AppError `key_invalid` or `key_unavailable` saying what is wrong and what to do */
export async function openPkcs11Signers(settings: Pkcs11Settings): Promise<HardwareSigners> {
  const { module, pinFile, signers: named, sessions = 4, timeoutMs = 2000 } = settings
  const cryptoki = await loaded(module)
  const finalize = () => cryptoki.finalize().catch(() => undefined)
  try {
    const labels = named.map(({ label }) => label)
    const pin = () => readPin(pinFile)
    const token = await openToken(cryptoki, { token: settings.token, labels, pin, sessions, timeoutMs })
    const signers = await Promise.all(named.map(({ label, alg }) => signerOf(cryptoki, token, label, alg)))
    return {
      signers,
      async close() {
        if (await token.close()) await finalize()
      },
    }
  } catch (error) {
    await finalize()
    throw error
  }
}

async function loaded(module: string): Promise<Cryptoki> {
  try {
    const cryptoki = await loadCryptoki(module)
    await cryptoki.initialize()
    return cryptoki
  } catch (cause) {
    const why = cause instanceof CryptokiError ? cause.message : 'is it a PKCS#11 module for this machine?'
    throw invalid(`keys.pkcs11.module: ${module} does not work: ${why}`, cause)
  }
}

async function signerOf(cryptoki: Cryptoki, token: Token, label: string, alg: 'ES256' | 'RS256'): Promise<Signer> {
  const members = token.publicMembers(label)
  if ((members.kty === 'EC') !== (alg === 'ES256')) throw invalid(`the key ${label} of the token is not one for ${alg}`)
  const kid = await calculateJwkThumbprint({ ...members })
  const publicJwk: PublicJwk = Object.freeze({ ...members, kid, alg, use: 'sig' })
  const sign = (data: Uint8Array): Promise<Uint8Array> =>
    token.use(label, (session, key) =>
      alg === 'ES256'
        ? cryptoki.sign(session, CKM.ECDSA, key, createHash('sha256').update(data).digest())
        : cryptoki.sign(session, CKM.SHA256_RSA_PKCS, key, data),
    )
  const probe = Buffer.from('probe')
  const publicKey = createPublicKey({ key: { ...members }, format: 'jwk' })
  if (!verify('sha256', probe, { key: publicKey, dsaEncoding: 'ieee-p1363' }, await sign(probe)))
    throw invalid(`the private and the public key ${label} of the token do not belong together`)
  return Object.freeze({ alg, kid, publicJwk, sign })
}
