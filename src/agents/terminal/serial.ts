/**
 * A card reader at a serial device, without a native add-on: `stty` sets the line, and the device is read as a file. Set
 * so (`min 0 time 1`), a read returns after a tenth of a second at most, with nothing where nothing came.
 */
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Link, LinkEvents } from './link.ts'

const settings = ['115200', 'cs8', '-parenb', '-cstopb', 'clocal', 'raw', '-echo', 'min', '0', 'time', '1']
/** A device that was pulled out answers each read at once with nothing: this keeps that from spinning. */
const nothingMs = 10

export async function openSerial(path: string, events: LinkEvents): Promise<Link> {
  // Without O_NONBLOCK opening waits for a carrier that no reader gives; reading is set by stty.
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants
  const held = await open(path, O_RDWR | O_NOCTTY | O_NONBLOCK)
  const file = await promisify(execFile)('stty', ['-F', path, ...settings])
    .then(() => open(path, O_RDWR | O_NOCTTY))
    // The line keeps its settings as long as somebody holds it open.
    .finally(() => held.close())
  let closed = false
  const end = () => {
    if (closed) return
    closed = true
    events.end()
  }

  const listen = async () => {
    const buffer = Buffer.alloc(4096)
    while (!closed) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) await pause(nothingMs)
      else if (!closed) events.data(buffer.subarray(0, bytesRead))
    }
  }
  void listen()
    .catch(end)
    .finally(() => file.close().catch(() => undefined))

  return {
    send(bytes) {
      if (!closed) void file.write(bytes).catch(end)
    },
    close() {
      closed = true
    },
  }
}
