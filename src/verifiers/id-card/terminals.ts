/**
 * The terminals that read cards, one file each: which certificate and which security module (SAM) are whose, and where
 * it stands. Read at the start, when a faulty file is refused, and again whenever a file changes, so that a terminal is
 * added or revoked without a restart; a fault then keeps what was last good, and is reported.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { sm3 } from 'jose'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'

/** As `openssl x509 -fingerprint` prints it, with the name of the digest before it. */
const fingerprint = z
  .string()
  .transform((text) => text.toLowerCase().replace(/(?<=:.*):/g, ''))
  .pipe(z.string().regex(/^(sm3|sha256):[\da-f]{64}$/, 'must be sm3: or sha256: and the fingerprint in hex'))

const text = z.string().min(1).max(100)
const terminalSchema = z.strictObject({
  id: z.string().regex(/^[a-z\d][a-z\d-]{0,63}$/, 'must be lower case letters, digits and dashes'),
  name: z.strictObject({ zh: text, en: text }),
  place: text,
  channel: z.string(),
  /** The number of its SAM as its agent says it. */
  sam: text,
  certificate: fingerprint,
  status: z.enum(['active', 'revoked']),
})

export type Terminal = Readonly<z.infer<typeof terminalSchema>>

export interface Terminals {
  find(id: string): Terminal | undefined
}

/** What the verifier asks about them. */
export interface CardDevices {
  readonly terminals: Terminals
  /** The certificates, in PEM, that vouch for them. */
  readonly roots: readonly string[]
}

/** @throws AppError `config_invalid` */
export function readDeviceRoots(file: string): readonly string[] {
  try {
    const roots = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (roots.length === 0) throw new Error('holds no certificates in PEM')
    roots.forEach((pem) => new X509Certificate(pem))
    return roots
  } catch (cause) {
    throw faulty(file, (cause as Error).message, cause)
  }
}

/** Is this the certificate that the terminal's row names? */
export function isCertificateOf({ certificate }: Pick<Terminal, 'certificate'>, der: Buffer): boolean {
  const [digest, value] = certificate.split(':')
  const own = digest === 'sm3' ? sm3(der).toString('hex') : createHash('sha256').update(der).digest('hex')
  return own === value
}

const namesIn = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .sort()

const faulty = (file: string, what: string, cause?: unknown) =>
  new AppError('config_invalid', { detail: `${file}: ${what}`, cause })

function readTerminal(file: string): Terminal {
  let input: unknown
  try {
    input = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw faulty(file, (cause as Error).message, cause)
  }
  const { data, error } = terminalSchema.safeParse(input)
  if (!data) throw faulty(file, error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '))
  if (data.id !== basename(file, '.json')) throw faulty(file, `id: is ${data.id}; a terminal's file has its name`)
  return data
}

/**
 * @param channels the channels that there are
 * @throws AppError `config_invalid` naming the file and what is wrong
 */
export function readTerminals(directory: string, channels: ReadonlySet<string>): readonly Terminal[] {
  const owners = new Map<string, string>()
  return namesIn(directory).map((name) => {
    const file = join(directory, name)
    const terminal = readTerminal(file)
    if (!channels.has(terminal.channel)) throw faulty(file, `channel: there is no channel ${terminal.channel}`)
    for (const owned of ['sam', 'certificate'] as const) {
      const key = `${owned} ${terminal[owned]}`
      const owner = owners.get(key)
      if (owner !== undefined) throw faulty(file, `${owned}: is that of ${owner}, and belongs to one terminal`)
      owners.set(key, terminal.id)
    }
    return terminal
  })
}

/** Changes whenever a file of the directory was written, added or removed, or the directory goes. */
function markOf(directory: string): string {
  try {
    return namesIn(directory)
      .map((name) => {
        const { mtimeMs, size } = statSync(join(directory, name))
        return `${name}:${mtimeMs}:${size}`
      })
      .join('|')
  } catch {
    return 'unreadable'
  }
}

interface Following {
  readonly directory: string
  readonly channels: ReadonlySet<string>
  readonly onFault: (error: unknown) => void
  readonly lookEveryMs?: number
}

/** @throws AppError `config_invalid` where a file is faulty at the start, or the directory cannot be read */
export function followTerminals(following: Following): Terminals & { stop(): void } {
  const { directory, channels, onFault, lookEveryMs = 2_000 } = following
  const take = () => new Map(readTerminals(directory, channels).map((terminal) => [terminal.id, terminal]))
  let mark = markOf(directory)
  let known: ReadonlyMap<string, Terminal>
  try {
    known = take()
  } catch (cause) {
    throw cause instanceof AppError ? cause : faulty(directory, (cause as Error).message, cause)
  }

  const look = () => {
    const seen = markOf(directory)
    if (seen === mark) return
    // A file that stays faulty is reported once, not at every look.
    mark = seen
    try {
      known = take()
    } catch (error) {
      onFault(error)
    }
  }
  const timer = setInterval(look, lookEveryMs)
  timer.unref()
  return { find: (id) => known.get(id), stop: () => clearInterval(timer) }
}
