/** Pictures of nobody for the suites of the face comparison: made here, or drawn for the demo city. */
import { createServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { encodeCardText } from '#src/identity/card-text.ts'
import type { Analyser } from '#src/agents/terminal/face/analyser.ts'
import type { Pose } from '#src/agents/terminal/face/pose.ts'
import type { Seen } from '#src/agents/terminal/face/watching.ts'
import { yan } from './card-terminal.ts'

export const adultText = (): Buffer => encodeCardText(yan)
export const textOfBirth = (birthDate: string): Buffer => encodeCardText({ ...yan, birthDate })

export const box = { x: 0.3, y: 0.2, width: 0.4, height: 0.5 } as const

/** An uncompressed BMP of 24 bits, by the format's own table. */
export function bmp(
  width: number,
  height: number,
  pixel: (x: number, y: number) => readonly number[],
  topDown = false,
) {
  const stride = Math.ceil((width * 3) / 4) * 4
  const bytes = Buffer.alloc(54 + stride * height)
  bytes.write('BM')
  bytes.writeUInt32LE(bytes.length, 2)
  bytes.writeUInt32LE(54, 10)
  bytes.writeUInt32LE(40, 14)
  bytes.writeInt32LE(width, 18)
  bytes.writeInt32LE(topDown ? -height : height, 22)
  bytes.writeUInt16LE(1, 26)
  bytes.writeUInt16LE(24, 28)
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const [red = 0, green = 0, blue = 0] = pixel(x, y)
      bytes.set([blue, green, red], 54 + stride * (topDown ? y : height - 1 - y) + 3 * x)
    }
  return bytes
}

/** An analyser that sees what it is told to; pictures handed to it stay with the test. */
export function standInAnalyser(see: (pose: Pose) => Seen | undefined, photo = true) {
  const handed: Uint8Array[] = []
  const analyser: Analyser & { closed: boolean; readonly handed: readonly Uint8Array[] } = {
    handed,
    closed: false,
    async photo(bytes) {
      handed.push(bytes)
      return photo
    },
    async frame(bytes, pose) {
      handed.push(bytes)
      return see(pose)
    },
    async close() {
      analyser.closed = true
    },
  }
  return analyser
}

export async function serve(answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
