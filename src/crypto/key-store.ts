/**
 * The keys of a node, as files under `keys/`: `signing.json` (private JWKs that sign tokens, the first of an algorithm
 * is active), `audit.json` (the SM2 key that signs checkpoints) and `secrets.json` (wrapping, blind index, pairwise
 * subjects, cookies, protected rows). Files that others can read, that are damaged, or that were made for development
 * are refused where they must not be (DESIGN D17).
 */
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, hmacSm3 } from 'jose'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import type { KeyWrapper } from './key-wrapper.ts'
import type { IndexKey } from './keys.ts'
import type { Mac } from './mac.ts'
import type { PublicJwk, Signer } from './signer.ts'
import { createSoftwareKeyWrapper } from './software-key-wrapper.ts'
import { createSoftwareMac } from './software-mac.ts'
import { createSoftwareSigner } from './software-signer.ts'

const origin = z.enum(['development', 'generated'])
const privateJwk = z.looseObject({ kty: z.string(), alg: z.string(), kid: z.string() })
const sm2Jwk = privateJwk.extend({ alg: z.literal('SGD_SM3_SM2') })
/** 32 bytes, base64url. */
const secret = z.string().regex(/^[\w-]{43}$/)
/** Stands in the sealed value between dots. */
const keyId = z.string().regex(/^[\w-]{1,32}$/)

const schemas = {
  signing: z.strictObject({ origin, keys: z.array(privateJwk).min(1) }),
  audit: z.strictObject({ origin, key: sm2Jwk }),
  secrets: z.strictObject({
    origin,
    wrapping: z
      .strictObject({ current: keyId, keys: z.record(keyId, secret) })
      .refine(({ current, keys }) => Object.hasOwn(keys, current), { path: ['current'] }),
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
  readonly wrapper: KeyWrapper
  readonly index: readonly IndexKey[]
  readonly pairwise: Mac
  /** Newest first: the first signs cookies, all of them verify. */
  readonly cookies: readonly Buffer[]
  /** Protects rows that give rights (DESIGN D11). */
  readonly rows: Mac
  /** Binds one-time codes to their challenge. */
  readonly codes: Mac
  /** Hides addresses in the counters of the throttle; derived from `codes`, so that no key file changes. */
  readonly limits: Mac
}

const newSecret = () => randomBytes(32).toString('base64url')

async function newJwk(alg: string) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kty: jwk.kty as string, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) }
}

const onDisk = (path: string): void => {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}

/**
 * Written beside, forced to the disk and then linked to its name: a crash leaves the whole file or none, and of two
 * processes that start at once one makes the file and the other finds it.
 * @returns false where the file is there already
 */
function writeKeyFile(directory: string, name: Name, content: unknown): boolean {
  const file = join(directory, `${name}.json`)
  const beside = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.new`
  writeFileSync(beside, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  try {
    onDisk(beside)
    linkSync(beside, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(beside)
    onDisk(directory)
  }
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
  const made: string[] = []
  for (const name of missing) {
    if (writeKeyFile(directory, name, await makers[name]())) made.push(`${name}.json`)
  }
  return made
}

function readKeyFile<N extends Name>(directory: string, name: N, production: boolean): z.infer<(typeof schemas)[N]> {
  const file = join(directory, `${name}.json`)
  const refuse = (detail: string, cause?: unknown): never => {
    throw new AppError('key_invalid', { detail: `${file}: ${detail}`, cause })
  }
  if (!existsSync(file)) refuse('is missing; make the keys with: npm run keys -- create')
  if ((statSync(file).mode & 0o077) !== 0) refuse('can be read by others; run: chmod 600 on it')
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    refuse('cannot be read; let it belong to the user the server runs as', cause)
  }
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    // Without the cause: what a parser complains of may quote a key.
    refuse('is damaged; restore it from the key backup')
  }
  const parsed = schemas[name].safeParse(content)
  if (!parsed.success) {
    const places = parsed.error.issues.map(({ path }) => path.join('.') || '(top)').join(', ')
    return refuse(`is not such a key file (${places}); restore it from the key backup`)
  }
  if (production && parsed.data.origin === 'development') {
    refuse('was made for development; move it away and run: npm run keys -- create')
  }
  return parsed.data as z.infer<(typeof schemas)[N]>
}

/** The key files of a directory and what they were made for. @throws AppError `key_invalid` */
export function keyOrigins(directory: string): readonly { readonly file: string; readonly origin: string }[] {
  const names = Object.keys(schemas) as Name[]
  return names.map((name) => ({ file: `${name}.json`, origin: readKeyFile(directory, name, false).origin }))
}

async function signerOf(
  directory: string,
  name: 'signing' | 'audit',
  jwk: z.infer<typeof privateJwk>,
): Promise<Signer> {
  try {
    return await createSoftwareSigner(jwk)
  } catch (cause) {
    const detail = `${join(directory, `${name}.json`)}: its key does not sign; restore it from the key backup`
    throw new AppError('key_invalid', { detail, cause })
  }
}

/** The public keys that verify checkpoints and tokens. @throws AppError `key_invalid` */
export async function publicKeys(
  directory: string,
): Promise<{ readonly audit: PublicJwk; readonly signing: readonly PublicJwk[] }> {
  const { keys } = readKeyFile(directory, 'signing', false)
  const signers = await Promise.all(keys.map((jwk) => signerOf(directory, 'signing', jwk)))
  return {
    audit: await auditPublicKey(directory),
    signing: signers.map(({ publicJwk }) => publicJwk),
  }
}

/** The public key that verifies checkpoints, where only `audit.json` is at hand. @throws AppError `key_invalid` */
export async function auditPublicKey(directory: string): Promise<PublicJwk> {
  return (await signerOf(directory, 'audit', readKeyFile(directory, 'audit', false).key)).publicJwk
}

/** @throws AppError `key_invalid` naming the file, what is wrong with it and what to do */
export async function loadKeys(directory: string, options: { readonly production: boolean }): Promise<Keys> {
  const signing = readKeyFile(directory, 'signing', options.production)
  const audit = readKeyFile(directory, 'audit', options.production)
  const secrets = readKeyFile(directory, 'secrets', options.production)
  const bytes = (text: string) => Buffer.from(text, 'base64url')
  const mac = (text: string) => createSoftwareMac(bytes(text))
  return {
    signers: await Promise.all(signing.keys.map((jwk) => signerOf(directory, 'signing', jwk))),
    audit: await signerOf(directory, 'audit', audit.key),
    wrapper: createSoftwareKeyWrapper({
      current: secrets.wrapping.current,
      keys: Object.fromEntries(Object.entries(secrets.wrapping.keys).map(([id, text]) => [id, bytes(text)])),
    }),
    index: [{ version: secrets.index.version, mac: mac(secrets.index.key) }],
    pairwise: mac(secrets.pairwise),
    cookies: secrets.cookies.map(bytes),
    rows: mac(secrets.rows),
    codes: mac(secrets.codes),
    limits: createSoftwareMac(hmacSm3(bytes(secrets.codes), 'yihao limits')),
  }
}
