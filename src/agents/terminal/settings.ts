/** The settings of a terminal agent: one small JSON file, refused whole with every fault it has. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { sentenceOf } from '#src/config/faults.ts'
import { bilingual, origin, port, seconds, webAddress } from '#src/config/values.ts'
import { AppError } from '#src/errors.ts'

const isTcp = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, port, pathname, search, hash, username } = new URL(text)
  return protocol === 'tcp:' && hostname !== '' && port !== '' && `${pathname}${search}${hash}${username}` === ''
}
/** A camera elsewhere would send faces over a network. */
const isLoopback = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  return (
    protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname) && `${username}${password}` === ''
  )
}
const isSecure = (text: string): boolean =>
  text.startsWith('https://') || ['localhost', '127.0.0.1', '[::1]'].includes(new URL(text).hostname)

const schema = z.strictObject({
  /** As the server's settings know this terminal. */
  terminal: z.string().regex(/^[a-z\d][a-z\d-]{0,63}$/, { error: 'must be lower case letters, digits and dashes' }),
  /** The one origin whose pages may have a card read. */
  issuer: origin.refine((text) => !URL.canParse(text) || isSecure(text), {
    error: 'must be https: a page from elsewhere than this machine is altered too easily without',
  }),
  port: port.default(17080),
  reader: z.string().refine((text) => text.startsWith('/') || isTcp(text), {
    error: 'must be tcp://host:port, or the path of a serial device such as /dev/ttyUSB0',
  }),
  /** SM2, PKCS#8 in PEM, mode 0600; the chain in PEM, the device's own certificate first. */
  device: z.strictObject({ key: z.string().min(1), certificates: z.string().min(1) }),
  /** How long a card is waited for. */
  wait: seconds.max(60).default(30),
  /** Where the terminal has a camera and compares faces. */
  face: z
    .strictObject({
      camera: z.string().refine(isLoopback, { error: 'must be http:// on 127.0.0.1, localhost or [::1]' }),
      photo: z
        .array(z.string())
        .min(1, { error: 'must name the program that decodes a card photo, then its arguments' })
        .refine(([program = '']) => program.startsWith('/'), { error: 'must begin with the full path of a program' }),
      threshold: z.number().min(0.2).max(0.6).default(0.45),
      seconds: seconds.min(10).max(60).default(25),
    })
    .optional(),
  city: bilingual,
  accent: z
    .string()
    .regex(/^#[0-9a-f]{6}$/i, { error: 'must be a colour such as #0b5cad' })
    .default('#0b5cad'),
  /** What the start page leads to. */
  services: z
    .array(z.strictObject({ name: bilingual, hint: bilingual.optional(), url: webAddress }))
    .min(1)
    .max(12),
  log: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
})

export type AgentSettings = Readonly<z.infer<typeof schema>>

const refuse = (detail: string, cause?: unknown): never => {
  throw new AppError('config_invalid', { detail, cause })
}

/** @throws AppError `config_invalid` naming every fault */
export function readAgentSettings(file: string): AgentSettings {
  let settings: unknown
  try {
    settings = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    refuse(`${file}: ${cause instanceof SyntaxError ? 'is not JSON' : 'cannot be read'}; see docs/terminal-agent.md`)
  }
  const parsed = schema.safeParse(settings, { reportInput: true })
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(
    (issue) =>
      `${issue.path.join('.') || '(top)'}: ${sentenceOf(issue).replace('config/README.md', 'docs/terminal-agent.md')}`,
  )
  return refuse(`${file}\n  ${faults.join('\n  ')}`)
}
