/**
 * A PKCS#11 token in software (Debian's package softhsm2) in a directory of its own, with keys made here. Where it is
 * missing, the suites that need it are skipped with a word, but never in CI.
 */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const softHsmModule = '/usr/lib/softhsm/libsofthsm2.so'
export const pin = '4711-2024'

export interface SoftHsm {
  readonly pinFile: string
  /** Imports a key under a label and gives its public half. */
  addKey(label: string, kind: 'ec' | 'rsa' | 'secp384r1', id: string): KeyObject
  /** Takes the token out, as one pulls it from a reader. */
  takeOut(): void
  putBack(): void
}

/** For a `before` hook: skips the suite where there is no SoftHSM. @throws Error in CI */
export function needSoftHsm(suite: Mocha.Context): void {
  if (existsSync(softHsmModule)) return
  if (process.env['CI']) throw new Error('the PKCS#11 suites need softhsm2; .ci/run installs it')
  console.log("    skipped: the PKCS#11 suites need SoftHSM (install Debian's package softhsm2)")
  suite.skip()
}

const soft = (...args: readonly string[]) => execFileSync('softhsm2-util', args, { stdio: 'pipe' })

/** @param directory an empty one; SoftHSM reads where its tokens are from the environment of this process */
export function softHsm(directory: string, token: string): SoftHsm {
  const [tokens, configuration] = [join(directory, 'tokens'), join(directory, 'softhsm2.conf')]
  mkdirSync(tokens)
  writeFileSync(configuration, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`)
  process.env['SOFTHSM2_CONF'] = configuration
  soft('--init-token', '--free', '--label', token, '--pin', pin, '--so-pin', `${pin}-so`)
  const pinFile = join(directory, 'pin')
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 })
  const [name] = readdirSync(tokens) as [string]
  return {
    pinFile,
    addKey(label, kind, id) {
      const { privateKey, publicKey } =
        kind === 'rsa'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 })
          : generateKeyPairSync('ec', { namedCurve: kind === 'ec' ? 'P-256' : kind })
      const file = join(directory, `${label}.pem`)
      writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
      soft('--import', file, '--token', token, '--label', label, '--id', id, '--pin', pin)
      return publicKey
    },
    takeOut: () => renameSync(join(tokens, name), join(directory, name)),
    putBack: () => renameSync(join(directory, name), join(tokens, name)),
  }
}
