/**
 * What makes a reading this terminal's: a signature by its SM2 device key over the card's text and the server's nonce,
 * with the device's certificates. Whose certificate it is, and whether it still counts, the server decides.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CompactSign, compactVerify, importPKCS8, importX509 } from 'jose'
import { readOwnerFile } from '#src/crypto/owner-file.ts'
import { AppError } from '#src/errors.ts'
import type { FaceStatement } from './face/comparison.ts'

export interface Reading {
  readonly nonce: string
  readonly attempt: string
  readonly terminal: string
  readonly sam: string
  /** Seconds since 1970. */
  readonly readAt: number
  /** The 256 bytes of GA/T 490. */
  readonly text: Uint8Array
  /** What came of comparing whoever stood there with the card's photo; only where that was asked for. */
  readonly face?: FaceStatement
}

export interface Device {
  /** Whether the device's certificate is within its dates. */
  valid(now?: number): boolean
  /** A compact JWS. */
  sign(reading: Reading): Promise<string>
}

const alg = 'SGD_SM3_SM2'
const typ = 'yihao-card-reading+jws'

/** @throws AppError `key_invalid` naming the file and what to do */
export async function openDevice(files: { readonly key: string; readonly certificates: string }): Promise<Device> {
  const chain = readChain(files.certificates)
  const header = { alg, typ, x5c: chain.map(({ raw }) => raw.toString('base64')) }
  const refuse = (file: string, what: string) => (cause: unknown) => {
    throw new AppError('key_invalid', { detail: `${file}: ${what}; see docs/terminal-agent.md`, cause })
  }
  const own = chain[0] as X509Certificate
  const missing = 'is not there; make the device key as docs/terminal-agent.md says'
  const key = await importPKCS8(readOwnerFile(files.key, missing), alg).catch(
    refuse(files.key, 'is no SM2 key in PKCS#8'),
  )
  const certified = await importX509(own.toString(), alg).catch(
    refuse(files.certificates, 'the first certificate is none of an SM2 key'),
  )
  const sign = (payload: object) =>
    new CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader(header).sign(key)
  await compactVerify(await sign({}), certified, { algorithms: [alg] }).catch(
    refuse(files.certificates, 'the first certificate is not that of the device key'),
  )
  return {
    valid: (now = Date.now()) => Date.parse(own.validFrom) <= now && now <= Date.parse(own.validTo),
    sign: ({ nonce, attempt, terminal, sam, readAt, text, face }) =>
      sign({
        ...{ nonce, attempt, terminal, sam, readAt, text: Buffer.from(text).toString('base64url') },
        ...(face ? { face } : {}),
      }),
  }
}

function readChain(file: string): readonly X509Certificate[] {
  try {
    const blocks = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (blocks.length === 0) throw new TypeError('no certificate')
    return blocks.map((block) => new X509Certificate(block))
  } catch (cause) {
    throw new AppError('key_invalid', {
      detail: `${file}: holds no certificates in PEM; see docs/terminal-agent.md`,
      cause,
    })
  }
}
