/**
 * A key daemon in a process of its own, for tests that kill it, stop it and start it again with the same keys: over the
 * keys of a seed, or as `npm run key-daemon` runs it.
 */
import { strict as assert } from 'node:assert'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createDaemon } from '#src/agents/key-daemon/daemon.ts'
import { newKeySeed, ringOf, softwareKeys, type KeySeed } from './software-ring.ts'

export interface Process {
  /** Starts it and waits until it listens. */
  start(): Promise<void>
  /** Sends it a signal, `SIGSTOP` for example. */
  signal(name: NodeJS.Signals): void
  /** Sends it a signal that ends it, and waits for the end; gives its exit code. */
  end(name: NodeJS.Signals): Promise<number | null>
}

export interface DaemonProcess extends Process {
  readonly socket: string
}

/** A program that says `listening` once it does. */
export function processOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): Process {
  let child: ChildProcess | undefined
  const alive = (): ChildProcess => {
    assert.ok(child && child.exitCode === null && child.signalCode === null, 'it does not run')
    return child
  }
  return {
    async start() {
      child = spawn(process.execPath, args, {
        ...{ cwd: resolve(import.meta.dirname, '../..'), stdio: ['ignore', 'pipe', 'inherit'] },
        env: { ...process.env, ...env },
      })
      let said = ''
      const out = child.stdout?.setEncoding('utf8')
      for await (const text of out?.iterator({ destroyOnReturn: false }) ?? []) {
        said += String(text)
        if (said.includes('listening')) break
      }
      assert.match(said, /listening/, 'it did not start')
      out?.resume()
    },
    signal: (name) => void alive().kill(name),
    async end(name) {
      const exit = once(alive(), 'exit')
      alive().kill(name)
      return ((await exit) as [number | null])[0]
    },
  }
}

/** @param directory an empty one, of this test alone */
export async function daemonProcess(
  directory: string,
  deadlineMs = 2000,
): Promise<DaemonProcess & { readonly seed: KeySeed }> {
  const [socket, seedFile] = [join(directory, 'run', 'keys'), join(directory, 'seed.json')]
  const seed = await newKeySeed()
  writeFileSync(seedFile, JSON.stringify(seed), { mode: 0o600 })
  return { ...processOf([import.meta.filename, socket, seedFile, String(deadlineMs)]), socket, seed }
}

/** The key daemon of the development settings, with its key files and its socket in a directory. */
export function keyDaemon(
  directory: string,
  more: Readonly<Record<string, string>> = {},
): DaemonProcess & { readonly keys: string } {
  const [socket, keys] = [join(directory, 'run', 'keys'), join(directory, 'keys')]
  const env = { YIHAO_KEYS__DIRECTORY: keys, YIHAO_KEYS__DAEMON__SOCKET: socket, ...more }
  return { ...processOf(['src/agents/key-daemon.ts'], env), socket, keys }
}

if (import.meta.main) {
  const [socket = '', seedFile = '', deadlineMs] = process.argv.slice(2)
  const seed = JSON.parse(readFileSync(seedFile, 'utf8')) as KeySeed
  const daemon = await createDaemon(ringOf(await softwareKeys(seed)), { socket, deadlineMs: Number(deadlineMs) })
  process.on('SIGTERM', () => void daemon.close().then(() => process.exit(0)))
  process.stdout.write('listening\n')
}
