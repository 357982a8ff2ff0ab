/**
 * The key-encryption key (KEK), under which the key file is sealed and which never stands beside it in production: 32
 * random bytes, base64url, from a file, from the environment, or from a command that prints it (a vault, a smart card).
 */
import { execFile } from 'node:child_process'
import { createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '#src/config.ts'
import { AppError } from '#src/errors.ts'
import { decrypt, encrypt, envelopeKey, hmac } from './envelope.ts'
import { makeOwnerFile, readOwnerFile } from './owner-file.ts'

export interface Kek {
  /** Tells this one from another and says nothing of it: 16 hex digits. */
  readonly id: string
  /** @param context where the value stands */
  seal(plain: Uint8Array, context: string): string
  /** @throws AppError `sealed_value_invalid` */
  open(sealed: string, context: string): Buffer
  /** Base64url. */
  macOf(text: string): string
  isMacOf(text: string, mac: string): boolean
}

export type KekSource = NonNullable<Config['keys']['kek']>
/** Where `environment` is looked up; rooms do not read the environment of the process. */
export type Environment = Readonly<Record<string, string | undefined>>

const commandMs = 10_000

const refused = (detail: string) => new AppError('key_invalid', { detail })

export function kekOf(key: Uint8Array): Kek {
  const root = createSecretKey(key)
  const sealing = envelopeKey(hmac(root, 'yihao|kek|seal'))
  const macKey = createSecretKey(hmac(root, 'yihao|kek|file'))
  const mac = (text: string) => hmac(macKey, text)
  return {
    id: hmac(root, 'yihao|kek|id').subarray(0, 8).toString('hex'),
    seal: (plain, context) => encrypt(sealing, plain, context),
    open: (sealed, context) => decrypt(sealing, sealed, context),
    macOf: (text) => mac(text).toString('base64url'),
    isMacOf(text, given) {
      const bytes = Buffer.from(given, 'base64url')
      return bytes.length === 32 && timingSafeEqual(bytes, mac(text))
    },
  }
}

/** What the settings name; development, where they may name none, keeps it beside the key file. */
export const kekSource = ({ directory, kek }: Pick<Config['keys'], 'directory' | 'kek'>): KekSource =>
  kek ?? { file: join(directory, 'kek') }

/** How a refusal and a command's words name it. */
export function placeOf(source: KekSource): string {
  if ('file' in source) return source.file
  return 'environment' in source ? `the environment variable ${source.environment}` : 'the command of keys.kek'
}

/** Runs without a shell. What it prints is the key: it is never shown, and neither is what it says beside. */
const printedBy = ([program = '', ...args]: readonly string[]): Promise<string> =>
  new Promise((done, fail) => {
    // Killed and not asked to end: while it does not, the keys would go on with no life.
    const bounds = { timeout: commandMs, maxBuffer: 4096, killSignal: 'SIGKILL', encoding: 'utf8' } as const
    execFile(program, args, bounds, (error, stdout) => {
      if (!error) return done(stdout)
      const why = error.killed ? `was stopped after ${commandMs / 1000} s` : `failed (${String(error.code)})`
      fail(refused(`keys.kek: the command ${why}; run it by hand as the user of the server`))
    })
  })

async function textOf(source: KekSource, env: Environment): Promise<string> {
  if ('file' in source)
    return readOwnerFile(
      source.file,
      'is missing: the key-encryption key; put it back from where it is kept, or for a new node run: npm run keys -- create',
    )
  if ('command' in source) return printedBy(source.command)
  const text = env[source.environment]
  if (text === undefined || text === '')
    throw refused(`keys.kek: ${placeOf(source)} is not set; it holds the key-encryption key`)
  return text
}

/** @throws AppError `key_invalid` saying what to do */
export async function openKek(source: KekSource, env: Environment): Promise<Kek> {
  const text = (await textOf(source, env)).trim()
  const key = Buffer.from(text, 'base64url')
  if (key.length !== 32 || key.toString('base64url') !== text)
    throw refused(`${placeOf(source)}: must hold 32 random bytes, base64url, and nothing else (keys/README.md)`)
  return kekOf(key)
}

/** Makes a KEK that is a file and not there. @returns the file made */
export function makeKek(source: KekSource): string | undefined {
  if (!('file' in source) || existsSync(source.file)) return undefined
  mkdirSync(dirname(source.file), { recursive: true, mode: 0o700 })
  return makeOwnerFile(source.file, `${randomBytes(32).toString('base64url')}\n`) ? source.file : undefined
}
