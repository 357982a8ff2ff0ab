/**
 * A stock client in a process of its own (`test/stock-client/`): installs it where it is missing, and speaks to it in
 * JSON lines.
 */
import { strict as assert } from 'node:assert'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { JWK } from 'jose'

const folder = resolve(import.meta.dirname, '../stock-client')
const venv = join(folder, '.venv')

export interface StockSettings {
  readonly issuer: string
  readonly clientId: string
  readonly authentication: 'basic' | 'post' | 'key' | 'none'
  readonly secret?: string
  readonly privateJwk?: JWK
  readonly algorithm: string
  readonly redirectUri: string
  readonly scope: string
  readonly par?: boolean
  readonly dpop?: boolean
  readonly pkce?: boolean
  readonly nonce?: boolean
}

export interface Finished {
  readonly algorithm: string
  readonly type?: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly userinfo: Readonly<Record<string, unknown>>
}

export interface StockClient {
  start(): Promise<{ readonly url: string }>
  /** Redeems the code, verifies the ID token and asks userinfo. @throws what the library did not like */
  finish(callback: string): Promise<Finished>
  refresh(): Promise<{ readonly changed: boolean; readonly sub: string }>
  close(): void
}

const run = (command: string, args: readonly string[]) =>
  execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })

export function installNodeClient(): void {
  const stamp = join(folder, 'node_modules/.package-lock.json')
  const lock = join(folder, 'package-lock.json')
  if (!existsSync(stamp) || statSync(stamp).mtimeMs < statSync(lock).mtimeMs)
    run('npm', ['ci', '--no-audit', '--no-fund'])
}

/** Makes the Python environment; says why not where this machine cannot. */
export function installPythonClient(): string | undefined {
  const wanted = readFileSync(join(folder, 'requirements.txt'), 'utf8')
  const stamp = join(venv, 'requirements.txt')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return undefined
  try {
    rmSync(venv, { recursive: true, force: true })
    run('python3', ['-m', 'venv', venv])
    run(join(venv, 'bin/pip'), ['install', '--quiet', '--requirement', 'requirements.txt'])
  } catch (error) {
    return `python3 with venv and pip is missing here: ${String(error).split('\n')[0]}`
  }
  writeFileSync(stamp, wanted)
  return undefined
}

async function open(child: ChildProcess, settings: StockSettings): Promise<StockClient> {
  const { stdin, stdout } = child
  assert.ok(stdin && stdout)
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  const ask = async <T>(command: string, more: object = {}): Promise<T> => {
    stdin.write(`${JSON.stringify({ command, ...more })}\n`)
    const line = await lines.next()
    assert.ok(!line.done, 'the stock client ended')
    const answer = JSON.parse(line.value) as T & { readonly failed?: string }
    if (answer.failed !== undefined) throw new Error(`the stock client: ${answer.failed}`)
    return answer
  }
  const client: StockClient = {
    start: () => ask('start'),
    finish: (callback) => ask('finish', { callback }),
    refresh: () => ask('refresh'),
    close: () => void child.kill(),
  }
  await ask('settings', settings).catch((error: unknown) => {
    client.close()
    throw error
  })
  return client
}

const spawned = (command: string, script: string) =>
  spawn(command, [script], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] })

/** openid-client with its own, upstream jose. */
export const openNodeClient = (settings: StockSettings) => open(spawned(process.execPath, 'client.mjs'), settings)
/** Authlib, a stock library of another language. */
export const openPythonClient = (settings: StockSettings) =>
  open(spawned(join(venv, 'bin/python'), 'client.py'), settings)
