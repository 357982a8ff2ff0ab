/**
 * How fast the embedded store is on this machine, durable (`synchronous=FULL`), singly and batched.
 * `node bench/storage.ts [directory]`: the directory decides which disk is measured.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStorage } from '#src/storage/open.ts'

const seconds = 3
const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'yihao-bench-'))
const storage = await openStorage({ kind: 'sqlite', file: join(directory, 'bench.db') })
const payload = 'x'.repeat(1200)
const expiresAt = Date.now() + 3_600_000
const node = 'bench'
let n = 0
let seq = 0

const put = () => {
  n += 1
  const grant = `grant ${n}`
  return storage.artifacts.put('AccessToken', `${Math.random()} ${n}`, { payload, grant, uid: `uid ${n}`, expiresAt })
}
const spend = () => storage.artifacts.spend('AuthorizationCode', `${Math.random()} ${(n += 1)}`, expiresAt)
const get = () => storage.artifacts.get('AccessToken', 'nothing')
const add = () => storage.counters.add(`${n++ % 1000}`, 1, Date.now(), 60_000)
const append = () => storage.audit.append([{ node, seq: (seq += 1), at: n, body: payload, hash: 'h'.repeat(64) }])

async function measure(name: string, op: () => Promise<unknown>, atOnce: number): Promise<void> {
  let done = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  while (performance.now() - start < seconds * 1000) {
    await Promise.all(Array.from({ length: atOnce }, op))
    done += atOnce
  }
  const elapsed = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const rate = Math.round(done / elapsed).toLocaleString('en')
  console.log(
    `${name.padEnd(16)} ${String(atOnce).padStart(4)} at once  ${rate.padStart(9)}/s  ${((user + system) / done).toFixed(1)} µs CPU each`,
  )
}

try {
  for (const [name, op] of Object.entries({ put, spend, add, append, get }))
    for (const atOnce of [1, 16, 64, 256]) await measure(name, op, atOnce)
} finally {
  await storage.close()
  await rm(directory, { recursive: true })
}
