/**
 * The terminal's camera: a program on this machine that answers with one JPEG when it is asked, such as ustreamer. What
 * is too large, too late or no JPEG is no picture.
 *
 * It is asked in HTTP/1.0 over a line of our own: `fetch` and `node:http` each leave copies of every picture in memory,
 * where nobody can wipe them.
 */
import { connect } from 'node:net'

export type TakePicture = (signal: AbortSignal) => Promise<Uint8Array | undefined>

const longest = 2_000_000
const longestHead = 16_384

/** In memory of its own, which can be wiped; the parts are still the caller's to wipe. */
export function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Head and body, up to the end of the line; undefined where it breaks off or is too much. */
function answerOf({ hostname, port, host, pathname, search }: URL, signal: AbortSignal) {
  return new Promise<Uint8Array | undefined>((done) => {
    const parts: Uint8Array[] = []
    let length = 0
    let whole = false
    // The one place that the line is read into.
    const buffer = new Uint8Array(65_536)
    const take = (read: number): boolean => {
      parts.push(buffer.slice(0, read))
      buffer.fill(0, 0, read)
      if ((length += read) > longest + longestHead) line.destroy()
      return true
    }
    const address = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) }
    const line = connect({ ...address, signal, onread: { buffer, callback: take } })
    line.on('error', () => undefined)
    line.on('end', () => (whole = true))
    line.on('close', () => {
      done(whole ? joined(parts, length) : undefined)
      for (const part of parts) part.fill(0)
    })
    line.write(`GET ${pathname}${search} HTTP/1.0\r\nHost: ${host}\r\nAccept: image/jpeg\r\n\r\n`)
  })
}

/** The body of a success that is all there, and not in pieces. */
function bodyIn(answer: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.from(answer.buffer)
  const end = bytes.subarray(0, longestHead).indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const [, length] = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head) ?? []
  const body = answer.slice(end + 4)
  const isWhole = body.length <= longest && (length === undefined || body.length === Number(length))
  const isPicture = body[0] === 0xff && body[1] === 0xd8
  if (/^HTTP\/1\.[01] 200\b/.test(head) && !/\r\ntransfer-encoding:/i.test(head) && isWhole && isPicture) return body
  return void body.fill(0)
}

/** @param address on the loopback; it is not followed anywhere else */
export function cameraAt(address: string, timeoutMs = 2_000): TakePicture {
  const url = new URL(address)
  return async (ended) => {
    const answer = await answerOf(url, AbortSignal.any([ended, AbortSignal.timeout(timeoutMs)]))
    const picture = answer && bodyIn(answer)
    answer?.fill(0)
    return picture
  }
}
