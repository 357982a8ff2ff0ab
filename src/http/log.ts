/** The log: JSON lines by pino, with what could be personal or secret left out by name, whatever room logs it. */
import { pino, type DestinationStream, type Logger } from 'pino'

export type { Logger }

const secret = [
  'phone',
  'number',
  'name',
  'code',
  'token',
  'secret',
  'authorization',
  'cookie',
  'password',
  'body',
  'url',
]

/** @param destination where lines go; standard output unless said otherwise */
export function createLogger(level: string, destination: DestinationStream = pino.destination(1)): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secret.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), remove: true },
    // Of an error the log gets its kind, code, detail and stack: a cause's message may quote input.
    serializers: { err: describeError },
  }
  return pino(options, destination)
}

function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { kind: typeof error }
  const { code, detail } = error as { code?: unknown; detail?: unknown }
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? []
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  return { kind: error.name, code, detail, stack: frames.slice(0, 8).join('\n'), ...cause }
}
