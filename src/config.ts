/**
 * The configuration: one schema, read from `config/default.json`, `config/<environment>.json` and the environment
 * variables `YIHAO_…` (later ones win). Every fault is reported at once with its path and its remedy, unknown keys
 * are refused, and what production forbids is refused here (DESIGN D16–D18). The result is frozen.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { AppError } from './errors.ts'

const level = z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)])
const port = z.number().int().min(0).max(65535)
const seconds = z.number().int().positive()
const bilingual = z.strictObject({ zh: z.string().min(1), en: z.string().min(1) })
const origin = z
  .url({ protocol: /^https?$/ })
  .refine((url) => new URL(url).origin === url, 'must be an origin, without a path')

const schema = z.strictObject({
  environment: z.enum(['development', 'production']),
  issuer: origin,
  listen: z.strictObject({
    host: z.string().min(1),
    port,
    /** Addresses or CIDR ranges of the proxies whose X-Forwarded-* headers are believed; none by default. */
    trustedProxies: z.array(z.string().min(1)),
  }),
  log: z.strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']) }),
  city: z.strictObject({
    name: bilingual,
    accent: z.string().regex(/^#[0-9a-f]{6}$/, 'must be a colour such as #0b5cad'),
    /** An SVG file. */
    emblem: z.string().min(1),
    hotline: z.string().min(1),
    office: bilingual,
    officeContact: z.string().min(1),
    complaints: z.url(),
    windows: z.url(),
    privacy: z.url(),
  }),
  storage: z.strictObject({ kind: z.literal('sqlite'), file: z.string().min(1) }),
  keys: z.strictObject({ directory: z.string().min(1) }),
  crypto: z.strictObject({
    policy: z.enum(['mixed', 'sm-only']),
    /** Software keys are not a certified module (未取得商密认证): production must write `false` out to run on them. */
    certified: z.literal(false).optional(),
  }),
  applications: z.string().min(1),
  channels: z.record(
    z.string().regex(/^[a-z][a-z-]*$/),
    z.strictObject({
      verifiers: z.array(z.string().min(1)).min(1),
      top: level,
      session: z.strictObject({ absolute: seconds, idle: seconds }),
    }),
  ),
  verifiers: z.strictObject({
    sms: z.strictObject({
      gateway: z.enum(['outbox']),
      validity: seconds,
      largeTypeValidity: seconds,
      resendAfter: seconds,
      tries: z.number().int().min(1).max(10),
      perPhoneDaily: z.number().int().min(1),
    }),
  }),
  login: z.strictObject({
    attempt: seconds,
    registerChecksDaily: z.number().int().min(1),
    /** Failed codes per phone within a day, over all codes sent (NIST SP 800-63B §3.2.2). */
    failuresDaily: z.number().int().min(1),
    publicComputerIdle: seconds,
  }),
  register: z.strictObject({ kind: z.literal('file'), file: z.string().min(1) }),
  tokens: z.strictObject({
    code: seconds.max(60),
    accessToken: seconds.max(3600),
    idToken: seconds,
    refreshToken: seconds,
    refreshTokenIdle: seconds,
  }),
  outbox: z.strictObject({
    /** Hosts inside the government network that deliveries may reach although their address is private. */
    internalHosts: z.array(z.string().min(1)),
    timeout: seconds,
    giveUpAfter: seconds,
  }),
  audit: z.strictObject({
    node: z.string().regex(/^[a-z0-9-]{1,32}$/),
    checkpointSeconds: seconds,
    checkpointRecords: z.number().int().positive(),
    /** Days the identities in the trail stay readable (网络安全法: at least six months). */
    retentionDays: z.number().int().min(184),
  }),
  /** Ports of the demo city: its two applications and its phone. */
  demo: z.strictObject({ enabled: z.boolean(), ports: z.tuple([port, port, port]) }),
})

export type Config = z.infer<typeof schema>

/** A rule that spans several settings: where it is broken, what is wrong, what to do. */
interface Rule {
  readonly path: string
  readonly broken: (config: Config) => boolean
  readonly remedy: string
}

const production = (config: Config) => config.environment === 'production'

const rules: readonly Rule[] = [
  {
    path: 'issuer',
    broken: (c) => production(c) && !c.issuer.startsWith('https:'),
    remedy: 'must be https in production; set the public https address',
  },
  {
    path: 'issuer',
    broken: (c) => c.issuer.startsWith('http:') && new URL(c.issuer).hostname !== 'localhost',
    remedy: 'may be http for localhost only',
  },
  {
    path: 'demo.enabled',
    broken: (c) => production(c) && c.demo.enabled,
    remedy: 'must be false in production; the demo city is for trying out',
  },
  {
    path: 'register.kind',
    broken: (c) => production(c) && c.register.kind === 'file',
    remedy: 'the file register holds synthetic people; production needs the adapter of a real population register',
  },
  {
    path: 'verifiers.sms.gateway',
    broken: (c) => production(c) && c.verifiers.sms.gateway === 'outbox',
    remedy: 'the outbox shows codes to whoever opens it; production needs a real gateway',
  },
  {
    path: 'crypto.certified',
    broken: (c) => production(c) && c.crypto.certified === undefined,
    remedy: 'software keys are not certified (未取得商密认证); write "certified": false to accept that',
  },
  {
    path: 'channels.web',
    broken: (c) => c.channels['web'] === undefined,
    remedy: 'the web channel is missing; applications that name no channel use it',
  },
]

type Plain = { readonly [key: string]: unknown }

const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Later settings win; objects merge, everything else is replaced. */
function merge(base: unknown, over: unknown): unknown {
  if (!isPlain(base) || !isPlain(over)) return over
  const merged: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) merged[key] = key in base ? merge(base[key], value) : value
  return merged
}

const camel = (word: string) => word.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** `YIHAO_LISTEN__PORT=8080` → `{ listen: { port: 8080 } }`: two underscores between levels, one between words. */
function fromEnvironment(env: Readonly<Record<string, string | undefined>>): unknown {
  let settings: unknown = {}
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('YIHAO_') || text === undefined) continue
    const path = name.slice('YIHAO_'.length).split('__').map(camel)
    settings = merge(
      settings,
      path.reduceRight<unknown>((value, key) => ({ [key]: value }), parseValue(text)),
    )
  }
  return settings
}

function readSettings(file: string): unknown {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new AppError('config_invalid', { detail: `${file} cannot be read`, cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AppError('config_invalid', { detail: `${file} is not JSON: ${(cause as Error).message}`, cause })
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze)
    Object.freeze(value)
  }
  return value
}

/** Checks settings that are already merged. @throws AppError `config_invalid` naming every fault */
export function parseConfig(settings: unknown): Config {
  const parsed = schema.safeParse(settings)
  const faults = parsed.success
    ? rules.filter((rule) => rule.broken(parsed.data)).map((rule) => `${rule.path}: ${rule.remedy}`)
    : parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`)
  if (!parsed.success || faults.length > 0) {
    throw new AppError('config_invalid', { detail: `\n  ${faults.join('\n  ')}` })
  }
  return freeze(parsed.data)
}

/**
 * Reads the configuration of a directory for an environment (`YIHAO_ENVIRONMENT`, else development).
 * @throws AppError `config_invalid` naming every fault
 */
export function loadConfig(directory: string, env: Readonly<Record<string, string | undefined>>): Config {
  const environment = env['YIHAO_ENVIRONMENT'] ?? 'development'
  if (!/^[a-z]+$/.test(environment))
    throw new AppError('config_invalid', { detail: 'YIHAO_ENVIRONMENT: must be a word' })
  const files = ['default.json', `${environment}.json`].map((name) => readSettings(join(directory, name)))
  return parseConfig([...files, { environment }, fromEnvironment(env)].reduce(merge, {}))
}
