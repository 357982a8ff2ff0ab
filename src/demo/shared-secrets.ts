/** What the server and the simulators of the demo city share, in `keys/demo/`, made at the first start. */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readSecret } from '#src/peers/secret-file.ts'

/** Those whose files the settings of development name. */
const names = ['face', 'ctid', 'province', 'nation'] as const

const fileOf = (directory: string, name: string) => join(resolve(directory), 'demo', `${name}.key`)

/** @param directory of keys */
export function makeSharedSecrets(directory: string): void {
  mkdirSync(join(resolve(directory), 'demo'), { recursive: true, mode: 0o700 })
  for (const file of names.map((name) => fileOf(directory, name))) {
    if (existsSync(file)) continue
    writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
    chmodSync(file, 0o600)
  }
}

/** 32 bytes, base64url. @throws AppError `key_invalid` */
export const sharedSecret = (directory: string, name: string): string => readSecret(fileOf(directory, name))
