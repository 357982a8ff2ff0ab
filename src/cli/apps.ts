/**
 * The process edge of `npm run apps`: checks, lists, adds and suspends applications. It works on their files, which the
 * running server takes up by itself within seconds.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sm3 } from 'jose'
import { loadConfig, type Config } from '../config.ts'
import { AppError } from '../errors.ts'
import { readApplicationFile } from '../oidc/application-files.ts'
import {
  inService,
  parseApplication,
  type Application,
  type ApplicationInput,
  type ApplicationPolicy,
} from '../oidc/application.ts'
import { runHere, UsageError, type Edge } from './edge.ts'

const usage = `Usage: npm run apps -- <command> [options]

  check                 verify every application file and say every fault
  list                  the applications, and what needs attention
  add <id>              write the file of a new application and print its secret, once
  suspend <id>          nobody signs in to it, and no token of it works, until it is resumed
  resume <id>

Options of add:
  --profile high|standard|public|legacy   --sector HOST-LIKE     --level 1-4        (2)
  --name 中文 --name-en ENGLISH            --owner 中文 --owner-en ENGLISH
  --redirect ADDRESS (again for more)     --post-logout ADDRESS  --backchannel ADDRESS
  --algorithm SGD_SM3_SM2|ES256|RS256     --exception 理由 --exception-en REASON --until YYYY-MM-DD
  --jwks FILE           public keys, for the profile high; or --jwks-uri ADDRESS where the application publishes them
Claims are granted by editing the file: each needs its basis, purpose, retention, approver and review date.
`

const text = { type: 'string' } as const
const options = {
  profile: text,
  sector: text,
  level: text,
  name: text,
  'name-en': text,
  owner: text,
  'owner-en': text,
  redirect: { type: 'string', multiple: true },
  'post-logout': { type: 'string', multiple: true },
  backchannel: text,
  algorithm: text,
  exception: text,
  'exception-en': text,
  until: text,
  jwks: text,
  'jwks-uri': text,
} as const

const policyOf = (config: Config): ApplicationPolicy => ({
  smOnly: config.crypto.policy === 'sm-only',
  production: config.environment === 'production',
  now: Date.now(),
})

const fileOf = (config: Config, id: string): string => {
  if (!/^[a-z0-9][a-z0-9-]{1,62}$/.test(id)) throw new UsageError('the id is lower-case letters, digits and hyphens')
  return join(config.applications, `${id}.json`)
}

const filesOf = ({ applications }: Config): readonly string[] =>
  readdirSync(applications)
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(applications, name))

/** Written beside and renamed: the server never reads half a file. */
function write(file: string, content: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`)
  renameSync(`${file}.new`, file)
}

/** What a file does not know of itself: its name, by which the commands find it, and the channels of the settings. */
function refuseMisplaced(config: Config, file: string, { id, channel }: Application): void {
  const detail =
    file !== fileOf(config, id)
      ? `id: is ${id}, so the file must be ${fileOf(config, id)}`
      : Object.hasOwn(config.channels, channel)
        ? undefined
        : `channel: the settings have none named ${channel} (channels)`
  if (detail !== undefined) throw new AppError('config_invalid', { detail: `application ${id}:\n  ${detail}` })
}

function check(config: Config, edge: Edge): number {
  let faulty = 0
  for (const file of filesOf(config)) {
    try {
      const application = readApplicationFile(file, policyOf(config))
      refuseMisplaced(config, file, application)
      const { id, profile } = application
      edge.out(`right   ${file}: ${id} (${profile})`)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      faulty += 1
      edge.out(`FAULTY  ${file}: ${error.detail ?? error.code}`)
    }
  }
  return faulty === 0 ? 0 : 1
}

function list(config: Config, edge: Edge): number {
  const policy = policyOf(config)
  for (const file of filesOf(config)) {
    const application = readApplicationFile(file, policy)
    const reviews = application.grants.map(({ review }) => review).sort()
    const state = application.suspended ? 'suspended' : inService(application, policy) ? 'in service' : 'time is up'
    const end = application.legacyUntil ?? application.exception?.until
    const { id, profile, algorithm, level } = application
    const notes = [...(end ? [`until ${end}`] : []), ...(reviews[0] ? [`next review ${reviews[0]}`] : [])]
    edge.out([id, profile, algorithm, `L${level}`, state, ...notes].join('\t'))
  }
  return 0
}

type Values = ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>['values']

/** @throws UsageError where the file is not there or holds no JWK set */
function setIn(file: string): { keys: { kty: string }[] } {
  try {
    const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: { kty: string }[] }
    if (Array.isArray(keys)) return { keys }
  } catch (cause) {
    throw new UsageError(`${file} cannot be read as JSON: ${(cause as Error).message}`, { cause })
  }
  throw new UsageError(`${file} holds no JWK set: { "keys": [ … ] }`)
}

/** Without a secret of its own the application proves itself by its key, or, on a phone, not at all. */
function credentialFor(values: Values): { credential: ApplicationInput['credential']; secret?: string } {
  const { jwks, 'jwks-uri': jwksUri } = values
  if (jwks !== undefined && jwksUri !== undefined) throw new UsageError('name one of --jwks and --jwks-uri')
  if (jwksUri !== undefined) return { credential: { jwksUri } }
  if (jwks !== undefined) return { credential: { jwks: setIn(jwks) } }
  if (values.profile === 'public') return { credential: { none: true } }
  const secret = randomBytes(32).toString('base64url')
  return { credential: { secretSm3: sm3(secret).toString('hex') }, secret }
}

function add(config: Config, id: string, values: Values, edge: Edge): number {
  const file = fileOf(config, id)
  if (existsSync(file)) throw new UsageError(`${file} is there already`)
  const { credential, secret } = credentialFor(values)
  const { exception, until } = values
  const input = {
    id,
    name: { zh: values.name, en: values['name-en'] },
    owner: { zh: values.owner, en: values['owner-en'] },
    profile: values.profile ?? 'standard',
    sector: values.sector,
    level: Number(values.level ?? 2),
    algorithm: values.algorithm ?? 'SGD_SM3_SM2',
    ...(exception ? { exception: { reason: { zh: exception, en: values['exception-en'] }, until } } : {}),
    ...(values.profile === 'legacy' ? { legacyUntil: until } : {}),
    redirectUris: values.redirect,
    postLogoutRedirectUris: values['post-logout'] ?? [],
    ...(values.backchannel === undefined ? {} : { backchannelLogoutUri: values.backchannel }),
    credential,
    grants: [],
  }
  parseApplication(input, policyOf(config))
  write(file, input)
  edge.out(`made   ${file}`)
  if (secret !== undefined) edge.out(`secret ${secret}\nIt is shown this once; only its SM3 is kept.`)
  return 0
}

function suspend(config: Config, id: string, suspended: boolean, edge: Edge): number {
  const file = fileOf(config, id)
  if (!existsSync(file)) throw new UsageError(`there is no ${file}`)
  write(file, { ...(JSON.parse(readFileSync(file, 'utf8')) as object), suspended })
  edge.out(`${suspended ? 'suspended' : 'resumed'} ${id}`)
  return 0
}

/** Runs one command and gives its exit code: 0 done, 1 faults found, 2 not understood or not possible. */
export async function runApps(args: readonly string[], edge: Edge): Promise<number> {
  try {
    const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [command, id, ...more] = positionals
    const config = loadConfig('config', edge.env)
    if (more.length > 0) throw new UsageError(usage)
    if (command === 'check' && id === undefined) return check(config, edge)
    if (command === 'list' && id === undefined) return list(config, edge)
    if (id === undefined) throw new UsageError(usage)
    if (command === 'add') return add(config, id, values, edge)
    if (command === 'suspend' || command === 'resume') return suspend(config, id, command === 'suspend', edge)
    throw new UsageError(usage)
  } catch (error) {
    if (error instanceof AppError) edge.err(error.detail ?? error.code)
    else if (error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS'))
      edge.err((error as Error).message)
    else throw error
    return 2
  }
}

if (import.meta.main) await runHere(runApps)
