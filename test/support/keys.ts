/** Keys of a test in a directory of its own, and what a stranger may do to their file. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, type Config } from '#src/config.ts'
import { kekOf, kekSource, openKek } from '#src/crypto/kek.ts'
import type { KeyEntry, KeyFile } from '#src/crypto/key-file.ts'
import { contextOf, readKeyFile, replaceKeyFile } from '#src/crypto/key-file.ts'

/** The settings of development with their keys there. */
export const keysIn = (directory: string, env: Readonly<Record<string, string>> = {}): Config =>
  loadConfig('config', { YIHAO_KEYS__DIRECTORY: directory, ...env })

export const keyFile = (directory: string): string => join(directory, 'keyring.json')

export type Content = KeyFile & { kek: string; mac: string; keys: KeyEntry[] } & Record<string, unknown>

/** Changes the file without its KEK, as a stranger would. */
export function forge(directory: string, change: (content: Content) => void): void {
  const content = JSON.parse(readFileSync(keyFile(directory), 'utf8')) as Content
  change(content)
  writeFileSync(keyFile(directory), JSON.stringify(content), { mode: 0o600 })
}

/** Changes the file with its KEK, so that it holds together and still says something else. */
export async function rewrite(config: Config, change: (keys: KeyEntry[]) => void): Promise<void> {
  const { directory } = config.keys
  const kek = await openKek(kekSource(config.keys), {})
  const file = readKeyFile(directory, kek)
  const keys = file.keys.map((key) => ({ ...key }))
  change(keys)
  replaceKeyFile(directory, { ...file, keys }, kek)
}

/** What no output, log or error may hold: the KEK and every opened private part. */
export function secretsOf(where: string, kekFile = join(where, 'kek')): readonly string[] {
  const text = readFileSync(kekFile, 'utf8').trim()
  const kek = kekOf(Buffer.from(text, 'base64url'))
  const { keys: entries } = JSON.parse(readFileSync(keyFile(where), 'utf8')) as Content
  const parts = entries.flatMap((entry) => {
    if (entry.sealed === undefined) return []
    const opened = kek.open(entry.sealed, contextOf(entry))
    const jwk = entry.publicJwk ? (JSON.parse(opened.toString()) as Record<string, string>) : {}
    return [opened.toString('base64url'), ...Object.values(jwk)]
  })
  return [text, ...parts]
}
