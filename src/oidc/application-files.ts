/**
 * Applications as files: what seeds the store, and what `npm run apps` works on. A file says everything about its
 * application but its secret, of which the store gets the SM3 only.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { sm3 } from 'jose'
import { AppError, isAppError } from '#src/errors.ts'
import { isCertificate } from './client-certificates.ts'
import { isClientKeySet } from './client-keys.ts'
import { standardKeys } from './dialect.ts'
import { parseApplication, type Application, type ApplicationPolicy } from './application.ts'

/** The certificates in a PEM file. */
function resolveTrust(application: Application): Application {
  const { trust } = application
  if (!trust || 'roots' in trust) return application
  const roots = readFileSync(resolve(trust.rootsFile), 'utf8').match(
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
  )
  if (!roots?.every(isCertificate)) throw new Error(`${trust.rootsFile} holds no certificates in PEM`)
  const { rootsFile: _, ...rest } = trust
  return { ...application, trust: { ...rest, roots } }
}

/** Reads what an application's file points to, so that the store holds it whole, and no secret in the open. */
function resolveCredential(application: Application, policy: ApplicationPolicy): Application {
  const { credential } = application
  if ('secretFile' in credential) {
    const secret = readFileSync(resolve(credential.secretFile), 'utf8').trim()
    if (secret.length < 43) throw new Error(`${credential.secretFile} holds less than 256 bits`)
    return { ...application, credential: { secretSm3: sm3(Buffer.from(secret)).toString('hex') } }
  }
  if ('jwksFile' in credential) {
    const jwks = JSON.parse(readFileSync(resolve(credential.jwksFile), 'utf8')) as { keys: { kty: string }[] }
    if (!isClientKeySet(standardKeys(jwks, application.dialect ?? {})))
      throw new Error(`${credential.jwksFile} holds no public keys, or more than those`)
    return parseApplication({ ...application, credential: { jwks } }, policy)
  }
  return application
}

const namesIn = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .sort()

/** @throws AppError `config_invalid` naming the file and every fault */
export function readApplicationFile(
  file: string,
  policy: ApplicationPolicy,
  prepare = (input: unknown) => input,
): Application {
  try {
    const application = parseApplication(prepare(JSON.parse(readFileSync(file, 'utf8'))), policy)
    return resolveTrust(resolveCredential(application, policy))
  } catch (cause) {
    if (isAppError(cause)) throw cause
    throw new AppError('config_invalid', { detail: `${file}: ${(cause as Error).message}`, cause })
  }
}

/**
 * Reads the application files of a directory.
 * @param prepare changes what a file says before it is checked
 * @throws AppError `config_invalid` naming the file and every fault
 */
export function readApplications(
  directory: string,
  policy: ApplicationPolicy,
  prepare?: (input: unknown) => unknown,
): readonly Application[] {
  return namesIn(directory).map((name) => readApplicationFile(join(directory, name), policy, prepare))
}

/** Changes whenever a file of the directory was written, added or removed. */
export function directoryMark(directory: string): string {
  return namesIn(directory)
    .map((name) => {
      const { mtimeMs, size } = statSync(join(directory, name))
      return `${name}:${mtimeMs}:${size}`
    })
    .join('|')
}
