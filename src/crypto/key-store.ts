/**
 * The keys of a node, as files under `keys/`: `signing.json` (private JWKs that sign tokens, the first of an algorithm
 * is active), `audit.json` (the SM2 key that signs checkpoints) and `secrets.json` (wrapping, blind index, pairwise
 * subjects, cookies, protected rows). Files that others can read, that are damaged, or that were made for development
 * are refused where they must not be (DESIGN D17).
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import type { Signer } from './signer.ts'
import type { SealerKeys } from './software-sealer.ts'
import { createSoftwareSigner } from './software-signer.ts'

const origin = z.enum(['development', 'generated'])
const privateJwk = z.looseObject({ kty: z.string(), alg: z.string(), kid: z.string() })
const secret = z.string().refine((text) => Buffer.from(text, 'base64url').length === 32, 'must be 32 bytes, base64url')

const schemas = {
  signing: z.strictObject({ origin, keys: z.array(privateJwk).min(1) }),
  audit: z.strictObject({ origin, key: privateJwk }),
  secrets: z.strictObject({
    origin,
    wrapping: z.strictObject({ current: z.string(), keys: z.record(z.string(), secret) }),
    index: z.strictObject({ version: z.number().int().positive(), key: secret }),
    pairwise: secret,
    cookies: z.array(secret).min(1),
    rows: secret,
    codes: secret,
  }),
}

type Name = keyof typeof schemas

export interface Keys {
  readonly signers: readonly Signer[]
  readonly audit: Signer
  readonly sealer: SealerKeys
  readonly pairwise: Buffer
  /** Newest first: the first signs cookies, all of them verify. */
  readonly cookies: readonly Buffer[]
  /** Protects rows that give rights (DESIGN D11). */
  readonly rows: Buffer
  /** Binds one-time codes to their challenge. */
  readonly codes: Buffer
}

const newSecret = () => randomBytes(32).toString('base64url')

async function newJwk(alg: string) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kty: jwk.kty as string, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) }
}

/** Written beside and renamed, so that a crash leaves the whole file or none. */
function writeKeyFile(directory: string, name: Name, content: unknown): void {
  const file = join(directory, `${name}.json`)
  writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  chmodSync(`${file}.new`, 0o600)
  renameSync(`${file}.new`, file)
}

/**
 * Makes the files that are missing and leaves the others alone.
 * @param origin `development` for keys that production will refuse
 * @returns the names of the files made
 */
export async function createKeys(directory: string, origin: 'development' | 'generated'): Promise<readonly string[]> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const makers: Record<Name, () => Promise<unknown>> = {
    signing: async () => ({ origin, keys: await Promise.all(['SGD_SM3_SM2', 'ES256', 'RS256'].map(newJwk)) }),
    audit: async () => ({ origin, key: await newJwk('SGD_SM3_SM2') }),
    secrets: async () => ({
      origin,
      wrapping: { current: '1', keys: { 1: newSecret() } },
      index: { version: 1, key: newSecret() },
      pairwise: newSecret(),
      cookies: [newSecret()],
      rows: newSecret(),
      codes: newSecret(),
    }),
  }
  const missing = (Object.keys(makers) as Name[]).filter((name) => !existsSync(join(directory, `${name}.json`)))
  for (const name of missing) writeKeyFile(directory, name, await makers[name]())
  return missing.map((name) => `${name}.json`)
}

function readKeyFile<N extends Name>(directory: string, name: N, production: boolean): z.infer<(typeof schemas)[N]> {
  const file = join(directory, `${name}.json`)
  const refuse = (detail: string, cause?: unknown): never => {
    throw new AppError('key_invalid', { detail: `${file}: ${detail}`, cause })
  }
  if (!existsSync(file)) refuse('is missing; make the keys with: npm run keys -- create')
  if ((statSync(file).mode & 0o077) !== 0) refuse('can be read by others; run: chmod 600 on it')
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    refuse('is damaged; restore it from the key backup', cause)
  }
  const parsed = schemas[name].safeParse(content)
  if (!parsed.success) {
    return refuse(`is not such a key file (${parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')})`)
  }
  if (production && parsed.data.origin === 'development') {
    refuse('was made for development; move it away and run: npm run keys -- create')
  }
  return parsed.data as z.infer<(typeof schemas)[N]>
}

/** @throws AppError `key_invalid` naming the file, what is wrong with it and what to do */
export async function loadKeys(directory: string, options: { readonly production: boolean }): Promise<Keys> {
  const signing = readKeyFile(directory, 'signing', options.production)
  const audit = readKeyFile(directory, 'audit', options.production)
  const secrets = readKeyFile(directory, 'secrets', options.production)
  const bytes = (text: string) => Buffer.from(text, 'base64url')
  if (!(secrets.wrapping.current in secrets.wrapping.keys)) {
    throw new AppError('key_invalid', { detail: 'secrets.json: wrapping.current names no key' })
  }
  return {
    signers: await Promise.all(signing.keys.map(createSoftwareSigner)),
    audit: await createSoftwareSigner(audit.key),
    sealer: {
      wrapping: {
        current: secrets.wrapping.current,
        keys: Object.fromEntries(Object.entries(secrets.wrapping.keys).map(([id, text]) => [id, bytes(text)])),
      },
      index: { version: secrets.index.version, key: bytes(secrets.index.key) },
    },
    pairwise: bytes(secrets.pairwise),
    cookies: secrets.cookies.map(bytes),
    rows: bytes(secrets.rows),
    codes: bytes(secrets.codes),
  }
}
