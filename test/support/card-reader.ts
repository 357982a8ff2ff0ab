/** Starts the card reader of `card_reader.py`, which knows the frames from the facts alone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface PythonReader {
  readonly address: string
  /** The 256 bytes of its card, encoded by Python. */
  readonly text: Buffer
  place(): void
  lift(): void
  close(): Promise<void>
}

export async function startPythonReader(): Promise<PythonReader> {
  const child = spawn('python3', [join(import.meta.dirname, 'card_reader.py')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const [port, text = ''] = line.split(' ')
  return {
    address: `tcp://127.0.0.1:${port}`,
    text: Buffer.from(text, 'hex'),
    place: () => void child.stdin.write('place\n'),
    lift: () => void child.stdin.write('lift\n'),
    async close() {
      child.stdin.end('quit\n')
      await ended
    },
  }
}
