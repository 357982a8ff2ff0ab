/**
 * The log: JSON lines by pino, with what could be personal or secret left out by name at any depth, whatever room logs
 * it. Done in one walk of our own: pino's redaction by path costs more than the line.
 */
import { pino, type DestinationStream, type Logger } from 'pino'

export type { Logger }

const secret = new Set([
  'phone',
  'phone_number',
  'number',
  'id_number',
  'name',
  'person',
  'address',
  'code',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'client_secret',
  'client_assertion',
  'secret',
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'headers',
  'query',
  'body',
  'url',
])

const deepest = 6

function withoutSecrets(value: unknown, depth = 0): unknown {
  if (value instanceof Error) return describeError(value)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (depth === deepest) return undefined
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, depth + 1))
  const kept: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) if (!secret.has(key)) kept[key] = withoutSecrets(item, depth + 1)
  return kept
}

/** @param destination where lines go; standard output unless said otherwise */
export function createLogger(level: string, destination: DestinationStream = pino.destination(1)): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { log: (line: object) => withoutSecrets(line) as Record<string, unknown> },
  }
  return pino(options, destination)
}

/** Of an error the log gets its kind, code, detail and stack: a message may quote input. */
function describeError(error: Error): object {
  const { code, detail } = error as { code?: unknown; detail?: unknown }
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? []
  const cause = error.cause instanceof Error ? { cause: describeError(error.cause) } : {}
  return { kind: error.name, code, detail, stack: frames.slice(0, 8).join('\n'), ...cause }
}
