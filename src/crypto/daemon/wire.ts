/**
 * What the server and the key daemon say to each other: frames of a 4-byte length, big-endian, and that many bytes of
 * JSON; bytes inside are base64url. Each side's first frame is its hello; the daemon's brings the public description of
 * its keys, and another comes whenever they change. Questions have numbers and may be answered in any order.
 *
 * There is no secret between the two. On one host the kernel says who may open the socket (`directory.ts`), and whoever
 * runs as a user that may could read a shared secret as well.
 */
import { z } from 'zod'

export const version = 1
export const hello = { hello: 'yihao-keys', version } as const

/** Longer than any text that is signed or MACed here, and short enough to be of no use as a weapon. */
export const maxFrameBytes = 262_144

export class WireFault extends Error {
  override readonly name = 'WireFault'
}

const number = z.number().int().nonnegative()
const base64url = z.string().regex(/^[\w-]*$/)

/** The keys that make MACs; those of the blind index have versions, and those for codes numbers. */
export const macName = z.union([
  z.enum(['pairwise', 'rows', 'limits']),
  z.templateLiteral(['codes-', z.number().int().positive()]),
  z.templateLiteral(['index.', z.number().int().positive()]),
])
export type MacName = z.infer<typeof macName>

const numbered = { id: number }
export const questionSchema = z.discriminatedUnion('op', [
  z.strictObject({ ...numbered, op: z.literal('sign'), kid: z.string(), data: base64url }),
  z.strictObject({ ...numbered, op: z.literal('decrypt'), kid: z.string(), data: base64url }),
  z.strictObject({ ...numbered, op: z.literal('mac'), name: macName, text: z.string() }),
  z.strictObject({ ...numbered, op: z.literal('wrap'), data: base64url, context: z.string() }),
  z.strictObject({ ...numbered, op: z.literal('unwrap'), wrapped: z.string(), context: z.string() }),
  z.strictObject({ ...numbered, op: z.literal('isCurrent'), wrapped: z.string() }),
  z.strictObject({ ...numbered, op: z.literal('health') }),
])
type Numbered = z.infer<typeof questionSchema>
type WithoutNumber<Q> = Q extends unknown ? Omit<Q, 'id'> : never
export type Question = WithoutNumber<Numbered>

/**
 * Why there is no result: `busy` too much is under way already · `unknown` no such key · `invalid` it was not made by
 * this key, or was changed · `late` the key did not answer in time · `failed` anything else. Nothing more is said.
 */
export const refusal = z.enum(['busy', 'unknown', 'invalid', 'late', 'failed'])
export type Refusal = z.infer<typeof refusal>

const result = z.union([z.string(), z.boolean()])
/** Bytes are base64url. */
export type Result = z.infer<typeof result>
export const answerSchema = z.union([
  z.strictObject({ id: number, result }),
  z.strictObject({ id: number, error: refusal }),
])
export type Answer = { readonly result: Result } | { readonly error: Refusal }

export const greeting = z.looseObject({ hello: z.literal(hello.hello), version: number })

export const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
export const toBytes = (text: string): Buffer => Buffer.from(text, 'base64url')

/** @throws WireFault where the message is too long */
export function frame(message: unknown): Buffer {
  const text = JSON.stringify(message)
  const length = Buffer.byteLength(text)
  if (length > maxFrameBytes) throw new WireFault('a message is too long')
  const bytes = Buffer.allocUnsafe(4 + length)
  bytes.writeUInt32BE(length)
  bytes.write(text, 4)
  return bytes
}

/** Gives the messages that a part of the stream completes, as parsed JSON. @throws WireFault where it is none of ours */
export type FrameReader = (part: Buffer) => readonly unknown[]

/** `begun()` says whether the last part ended inside a message. */
export function createFrameReader(): { readonly read: FrameReader; readonly begun: () => boolean } {
  let parts: Buffer[] = []
  let held = 0
  let needed = 4

  /** Copies only once enough has come, so that a message sent byte by byte costs no more than one sent whole. */
  function* messages(part: Buffer): Generator<unknown> {
    parts.push(part)
    held += part.length
    if (held < needed) return
    let rest = parts.length === 1 ? part : Buffer.concat(parts)
    for (needed = 4; rest.length >= 4; rest = rest.subarray(needed), needed = 4) {
      const length = rest.readUInt32BE()
      if (length === 0 || length > maxFrameBytes) throw new WireFault('a message has no possible length')
      needed = 4 + length
      if (rest.length < needed) break
      yield parse(rest.toString('utf8', 4, needed))
    }
    parts = rest.length > 0 ? [rest] : []
    held = rest.length
  }

  return { read: (part) => [...messages(part)], begun: () => held > 0 }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Without the cause: what a parser complains of may quote a key.
    throw new WireFault('a message is not JSON')
  }
}
