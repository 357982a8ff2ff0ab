/**
 * The key file of a node, `keyring.json`: every key with its life in the clear and its private half sealed under the
 * key-encryption key, bound to this file, its use and its id. A MAC over the whole refuses a changed state or time. One
 * file, so that every change to it, a new KEK included, happens at once or not at all (DESIGN D17).
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import type { Kek } from './kek.ts'
import type { KeyUse } from './keys.ts'
import { makeOwnerFile, readOwnerFile, replaceOwnerFile } from './owner-file.ts'

export const keyFileName = 'keyring.json'
const format = 'yihao-keyring-1'

const uses = ['sig', 'enc', 'audit', 'wrapping', 'index', 'pairwise', 'rows', 'cookies', 'codes'] as const
const origin = z.enum(['development', 'generated'])
export type KeyOrigin = z.infer<typeof origin>

/** RFC 7517 §4, and the members of RFC 7518 §6 that make a public key. */
const publicJwk = z.strictObject({
  kty: z.string(),
  crv: z.string().optional(),
  x: z.string().optional(),
  y: z.string().optional(),
  n: z.string().optional(),
  e: z.string().optional(),
})

const entry = z.strictObject({
  /** RFC 7638 thumbprint of a key pair; of a secret its use and number. Stands in sealed values between dots. */
  kid: z.string().regex(/^[\w-]{1,64}$/),
  use: z.enum(uses) satisfies z.ZodType<KeyUse>,
  alg: z.string().min(1),
  created: z.iso.datetime(),
  activeFrom: z.iso.datetime(),
  publicJwk: publicJwk.optional(),
  /** Absent of an audit key that only verifies old checkpoints any more. */
  sealed: z.string().min(1).optional(),
})
export type KeyEntry = z.infer<typeof entry>

const unique = (keys: readonly KeyEntry[]) => new Set(keys.map(({ kid }) => kid)).size === keys.length

const schema = z.strictObject({
  format: z.literal(format),
  origin,
  /** Id of the KEK. */
  kek: z.string().regex(/^[0-9a-f]{16}$/),
  keys: z.array(entry).min(1).refine(unique),
  mac: z.string(),
})

export interface KeyFile {
  readonly origin: KeyOrigin
  readonly keys: readonly KeyEntry[]
}

export const keyFileIn = (directory: string): string => join(directory, keyFileName)
export const contextOf = ({ use, kid }: Pick<KeyEntry, 'use' | 'kid'>): string => `${keyFileName}|${use}|${kid}`

/** The files of the form before this one, whose keys stood in them unsealed. */
export const unsealedFiles = (directory: string): readonly string[] =>
  ['signing.json', 'audit.json', 'secrets.json'].map((name) => join(directory, name)).filter((file) => existsSync(file))

export const refused = (directory: string, detail: string, cause?: unknown): AppError =>
  new AppError('key_invalid', { detail: `${keyFileIn(directory)}: ${detail}`, cause })

function missingIn(directory: string): string {
  const old = unsealedFiles(directory)
  return old.length === 0
    ? 'is missing; make the keys with: npm run keys -- create'
    : `is missing, and ${old.join(', ')} are of an older form with unsealed keys, which is not read any more; move them and the store they belong to away, then make new keys: npm run keys -- create, or in development npm start`
}

/** What the file says, its MAC not looked at. @throws AppError `key_invalid` */
function parsed(directory: string) {
  const text = readOwnerFile(keyFileIn(directory), missingIn(directory))
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    // Without the cause: what a parser complains of may quote a key.
    throw refused(directory, 'is damaged; restore it from the key backup')
  }
  const result = schema.safeParse(content)
  if (!result.success) {
    const places = result.error.issues.map(({ path }) => path.join('.') || '(top)').join(', ')
    throw refused(directory, `is not such a key file (${places}); restore it from the key backup`)
  }
  const { mac: _, ...signed } = content as z.infer<typeof schema>
  return { ...result.data, signed: JSON.stringify(signed) }
}

/** For readers without the KEK: public halves and times, nothing of it proven. @throws AppError `key_invalid` */
export const readUnproven = (directory: string): KeyFile & { readonly kek: string } => parsed(directory)

/** The id of the KEK the file is sealed under; undefined where there is no such file to read. */
export function sealedUnder(directory: string): string | undefined {
  try {
    return parsed(directory).kek
  } catch {
    return undefined
  }
}

/** @throws AppError `key_invalid` saying whether the file is missing, damaged, foreign or changed, and what to do */
export function readKeyFile(directory: string, kek: Kek): KeyFile {
  const { origin, keys, kek: id, mac, signed } = parsed(directory)
  if (id !== kek.id)
    throw refused(
      directory,
      `is sealed under another key-encryption key (${id}; keys.kek gives ${kek.id}); name that one in keys.kek, or restore the key file that belongs to yours`,
    )
  if (!kek.isMacOf(signed, mac))
    throw refused(directory, 'was changed by hand or by somebody; restore it from the key backup')
  return { origin, keys }
}

function textOf({ origin, keys }: KeyFile, kek: Kek): string {
  const signed = { format, origin, kek: kek.id, keys }
  return `${JSON.stringify({ ...signed, mac: kek.macOf(JSON.stringify(signed)) }, null, 2)}\n`
}

/** False where there is one. */
export const makeKeyFile = (directory: string, content: KeyFile, kek: Kek): boolean =>
  makeOwnerFile(keyFileIn(directory), textOf(content, kek))

/** The caller holds the lock of the directory (`cli/key-lock.ts`). */
export const replaceKeyFile = (directory: string, content: KeyFile, kek: Kek): void =>
  replaceOwnerFile(keyFileIn(directory), textOf(content, kek))
