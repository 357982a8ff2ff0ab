/**
 * The configuration: one schema, read from `config/default.json`, `config/<environment>.json` and the environment
 * variables `YIHAO_…` (later ones win). Every fault is reported at once with its path and its remedy, unknown keys
 * are refused, and what production forbids is refused here (DESIGN D16–D18). The result is frozen.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { certificate } from './config/certificate.ts'
import { face } from './config/face.ts'
import { ctid } from './config/ctid.ts'
import { sentenceOf } from './config/faults.ts'
import { idCard } from './config/id-card.ts'
import { ownVerifiers } from './config/own.ts'
import type { Rule } from './config/rule.ts'
import { rules } from './config/rules.ts'
import { smsGateways, voiceGateways } from './config/sms.ts'
import { upstream } from './config/upstream.ts'
import { bilingual, breaker, kek, level, origin, peer, pkcs11, port } from './config/values.ts'
import { range, seconds, webAddress } from './config/values.ts'
import { AppError } from './errors.ts'

const methodWords = z.record(z.string(), z.strictObject({ label: bilingual.optional(), help: bilingual.optional() }))

const schema = z.strictObject({
  environment: z.enum(['development', 'production']),
  issuer: origin,
  listen: z.strictObject({
    host: z.string().min(1),
    port,
    /** Addresses or CIDR ranges of the proxies whose X-Forwarded-* headers are believed; none by default. */
    trustedProxies: z.array(range),
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
    complaints: webAddress,
    windows: webAddress,
    privacy: webAddress,
  }),
  storage: z.strictObject({ kind: z.literal('sqlite'), file: z.string().min(1) }),
  keys: z.strictObject({
    /** `daemon`: in the key daemon, and the server opens no key file. */
    kind: z.enum(['files', 'daemon']),
    directory: z.string().min(1),
    /** Where the key-encryption key comes from; development keeps it beside the key file. */
    kek: kek.optional(),
    /** From when a next key is published to when it signs: applications must have read it by then. */
    publishAhead: seconds,
    /** Its socket, and the seconds that a question to it may take. */
    daemon: z.strictObject({ socket: z.string().min(1), timeout: seconds.max(2) }),
    pkcs11: pkcs11.optional(),
  }),
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
      /** Its devices are everybody's: self-service terminals. */
      shared: z.boolean().default(false),
      /** What its methods are called there. */
      methods: methodWords.optional(),
    }),
  ),
  /** What methods are called, where the pages' own words do not fit. */
  methods: methodWords.optional(),
  verifiers: z.strictObject({
    sms: z.strictObject({
      /** In the order in which they are asked. */
      gateways: smsGateways,
      validity: seconds,
      largeTypeValidity: seconds,
      resendAfter: seconds,
      tries: z.number().int().min(1).max(10),
      perPhoneDaily: z.number().int().min(1),
      /** Codes a day that a device known for the phone has to itself, beside those. */
      perDeviceDaily: z.number().int().min(1),
      breaker,
    }),
    /** Calls that say the code, within the limits of texts and as long valid. */
    voice: z.strictObject({ gateways: voiceGateways }),
    passkey: z.strictObject({
      validity: seconds,
      /** How many a person may have. */
      perPerson: z.number().int().min(1).max(20),
      /** How long after a sign-in one may be added without another sign-in. */
      freshness: seconds,
      /** The most that one reaches which was added in a session of level 2 (NIST SP 800-63B §4.1). */
      addedAt2: z.literal([2, 3]),
    }),
    idCard,
    certificate: certificate.optional(),
    /** Where the city has a service that compares faces. */
    face,
    /** The national network identity service (网号、网证): the verifiers `ctid` and `ctid-face`. */
    ctid: ctid.optional(),
    /** Platforms above the city, each a verifier of its name. */
    upstream,
    /** Those of the city itself, a module or a service each (docs/own-verifier.md). */
    own: ownVerifiers,
  }),
  login: z.strictObject({
    attempt: seconds,
    registerChecksDaily: z.number().int().min(1),
    /** Failed codes per phone within a day, over all codes sent (NIST SP 800-63B §3.2.2). */
    failuresDaily: z.number().int().min(1),
    /** The same for a device known for the phone, which no stranger's failures touch. */
    deviceFailuresDaily: z.number().int().min(1),
    /** Devices remembered for one person. */
    knownDevices: z.number().int().min(1).max(20),
    /** What an address may do in a minute before those on it wait for their turn; never refused, devices known exempt. */
    perAddress: z.strictObject({
      sends: z.number().int().min(1),
      failures: z.number().int().min(1),
      longestWait: seconds.max(600),
    }),
    publicComputerIdle: seconds,
    /** Days a phone opens its account before the register is asked anew; carriers keep given-up numbers back for 90. */
    phoneConfirmDays: z.number().int().min(1).max(90),
  }),
  register: z.strictObject({
    kind: z.enum(['file', 'http']),
    file: z.string().min(1),
    http: peer.optional(),
    breaker,
    /** Between two looks at its feed of changes. */
    followSeconds: seconds,
  }),
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
    /** Less than the lease of a delivery, or it would be sent twice at once. */
    timeout: seconds.max(20),
    giveUpAfter: seconds,
  }),
  audit: z.strictObject({
    node: z.string().regex(/^[a-z0-9-]{1,32}$/),
    checkpointSeconds: seconds,
    checkpointRecords: z.number().int().positive(),
    /** Days the identities in the trail stay readable (网络安全法: at least six months). */
    retentionDays: z.number().int().min(184),
  }),
  /** Ports of the demo city: its two applications, its phone, and the services it simulates; its terminal's agent. */
  demo: z.strictObject({
    enabled: z.boolean(),
    ports: z.tuple([port, port, port, port]),
    /** Absent or null: there is no terminal. */
    terminalPort: port.nullish(),
  }),
})

export type Config = z.infer<typeof schema>

type Environment = Readonly<Record<string, string | undefined>>
type Plain = { readonly [key: string]: unknown }

const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Later settings win; objects merge, everything else is replaced. */
function merge(base: unknown, over: unknown): unknown {
  if (!isPlain(base) || !isPlain(over)) return over
  const changes = Object.entries(over).map(([key, value]) => [
    key,
    Object.hasOwn(base, key) ? merge(base[key], value) : value,
  ])
  // fromEntries: a key named __proto__ becomes a key like any other, and is refused as unknown.
  return Object.fromEntries([...Object.entries(base), ...changes]) as Plain
}

const camel = (word: string) => word.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** A value is JSON; what is none is a text, and so is what overrides a text: `YIHAO_CITY__HOTLINE=12345`. */
function parseValue(text: string, base: unknown): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof base === 'string' && typeof value !== 'string' ? text : value
  } catch {
    return text
  }
}

/** `YIHAO_LISTEN__PORT=8080` → `{ listen: { port: 8080 } }`: two underscores between levels, one between words. */
function fromEnvironment(env: Environment, base: unknown): unknown {
  let settings: unknown = {}
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('YIHAO_') || text === undefined) continue
    const path = name.slice('YIHAO_'.length).split('__').map(camel)
    const overridden = path.reduce((value, key) => (isPlain(value) ? value[key] : undefined), base)
    const setting = path.reduceRight<unknown>((value, key) => ({ [key]: value }), parseValue(text, overridden))
    settings = merge(settings, setting)
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

/** A rule whose own settings are missing or malformed says nothing; that fault is reported as such. */
function broken(rule: Rule, settings: unknown): boolean {
  try {
    return rule.broken(settings as Config)
  } catch {
    return false
  }
}

/** Checks settings that are already merged. @throws AppError `config_invalid` naming every fault */
export function parseConfig(settings: unknown): Config {
  const parsed = schema.safeParse(settings, { reportInput: true })
  const malformed = parsed.error?.issues.map((issue) => ({ path: issue.path.join('.'), text: sentenceOf(issue) })) ?? []
  const forbidden = rules
    .filter(({ path }) => malformed.every((fault) => fault.path !== path))
    .filter((rule) => broken(rule, settings))
    .map(({ path, remedy }) => ({ path, text: remedy }))
  const faults = [...malformed, ...forbidden].map(({ path, text }) => `${path || '(top)'}: ${text}`)
  if (!parsed.success || faults.length > 0) {
    throw new AppError('config_invalid', { detail: `\n  ${faults.join('\n  ')}` })
  }
  return freeze(parsed.data)
}

/**
 * Reads the configuration of a directory for an environment (`YIHAO_ENVIRONMENT`, else development).
 * @throws AppError `config_invalid` naming every fault
 */
export function loadConfig(directory: string, env: Environment): Config {
  const environment = env['YIHAO_ENVIRONMENT'] ?? 'development'
  if (!schema.shape.environment.safeParse(environment).success)
    throw new AppError('config_invalid', { detail: 'YIHAO_ENVIRONMENT: must be development or production' })
  const files = ['default.json', `${environment}.json`].map((name) => readSettings(join(directory, name)))
  const settings = [...files, { environment }].reduce(merge, {})
  return parseConfig(merge(settings, fromEnvironment(env, settings)))
}
