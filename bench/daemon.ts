/** Signatures through the key daemon, in a process of its own, against the same keys in this process, by how many are under way. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDaemonRing } from '#src/crypto/daemon/ring.ts'
import type { Keys } from '#src/crypto/keys.ts'
import { daemonProcess } from '../test/support/key-daemon-process.ts'
import { softwareKeys } from '../test/support/software-ring.ts'

const data = Buffer.from('x'.repeat(400))
const directory = mkdtempSync(join(tmpdir(), 'yihao-bench-'))
const daemon = await daemonProcess(directory)
await daemon.start()
const ring = await openDaemonRing({ socket: daemon.socket, timeoutMs: 2000 })
const places: readonly (readonly [string, Keys])[] = [
  ['in this process', await softwareKeys(daemon.seed)],
  ['in the key daemon', ring.current()],
]

/** `under way` askers, each asking again as soon as it is answered. */
async function rate(
  ask: () => Promise<unknown>,
  underWay: number,
  count: number,
): Promise<{ rate: number; cpu: number }> {
  let left = count
  const asker = async () => {
    while ((left -= 1) >= 0) await ask()
  }
  const [started, used] = [performance.now(), process.cpuUsage()]
  await Promise.all(Array.from({ length: underWay }, asker))
  const { user, system } = process.cpuUsage(used)
  return { rate: (count * 1000) / (performance.now() - started), cpu: (user + system) / count }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number

const jobs = places.flatMap(([place, keys]) => {
  const signer = (alg: string) => keys.signers.find(({ key }) => key.alg === alg)?.key
  const algs = ['SGD_SM3_SM2', 'ES256', 'RS256'] as const
  const signs = algs.map((alg) => [`${alg} ${place}`, async () => signer(alg)?.sign(data)] as const)
  return [...signs, [`MAC ${place}`, () => keys.pairwise('text')] as const]
})

const results = new Map<string, { rate: number; cpu: number }[]>()
for (let round = 0; round < 6; round += 1)
  for (const underWay of [1, 16, 64])
    for (const [name, ask] of jobs) {
      const measured = await rate(ask, underWay, name.startsWith('MAC') ? 4000 : 1000)
      const line = `${String(underWay).padStart(3)} under way  ${name}`
      if (round > 0) results.set(line, [...(results.get(line) ?? []), measured])
    }

for (const [line, measured] of results) {
  const [perSecond, cpu] = [median(measured.map(({ rate }) => rate)), median(measured.map(({ cpu }) => cpu))]
  console.log(
    `${line.padEnd(52)} ${perSecond.toFixed(0).padStart(7)}/s  ${cpu.toFixed(0).padStart(5)} µs CPU here each`,
  )
}
await ring.close()
await daemon.end('SIGTERM')
rmSync(directory, { recursive: true })
