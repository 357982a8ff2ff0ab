/** kill -9 in the middle of wrapping and indexing anew: no row is lost or half done, and the next start goes on. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDirectory } from '#src/login/directory.ts'
import { stillUnder } from '#src/storage/key-progress.ts'
import { openSealedStore, sealerKeys } from '../support/sealing.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const people = 400
const [kind, name] = ['passport', '刘䶮'] as const
const numberOf = (n: number) => `E${10_000_000 + n}`
const phoneOf = (n: number) => `+86199${String(n).padStart(8, '0')}`

interface Numbers {
  readonly wrapping: readonly number[]
  readonly versions: readonly number[]
}

describe('renewal of keys under kill -9', () => {
  const newDirectory = temporaryDirectories()
  let file: string

  const open = ({ wrapping, versions }: Numbers) => openSealedStore(file, () => sealerKeys(wrapping, versions))

  before(async () => {
    file = join(newDirectory(), 'city.db')
    const { storage, sealing } = await open({ wrapping: [1], versions: [1] })
    const directory = createDirectory({ storage, ...sealing })
    for (let n = 0; n < people; n += 1) {
      const document = { kind, number: numberOf(n), status: 'proven' } as const
      const { id } = await directory.open({ name, document, phone: phoneOf(n), proven: true, proofing: 2 })
      if (n % 10 === 0) await storage.people.erase(id)
    }
    await storage.close()
  })

  /** Everybody is found and opens, and no row was changed by anybody else. Gives what is left under the first keys. */
  async function verify(keys: Numbers): Promise<number> {
    const { storage, sealing, tampered } = await open(keys)
    const directory = createDirectory({ storage, ...sealing })
    for (let n = 0; n < people; n += 1) {
      const citizen = await directory.byDocument(kind, numberOf(n))
      assert.ok(citizen, numberOf(n))
      if (n % 10 === 0) assert.equal(citizen.status, 'erased')
      else assert.equal((await directory.byPhone(phoneOf(n)))[0]?.documents[0]?.number, numberOf(n))
    }
    assert.deepEqual(tampered, [])
    const left = (await stillUnder(storage, { wrapping: 'k1' })) + (await stillUnder(storage, { index: 1 }))
    await storage.close()
    return left
  }

  /** Runs a node, and kills it after so many milliseconds of work; true where it was done before. */
  async function renew({ wrapping, versions }: Numbers, killAfterMs: number): Promise<boolean> {
    const script = join(import.meta.dirname, 'child-renewer.ts')
    const child = spawn(process.execPath, [script, file, wrapping.join(), versions.join()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    const closed = once(child, 'close')
    await Promise.race([once(child.stdout, 'data'), closed])
    await Promise.race([sleep(killAfterMs), closed])
    child.kill('SIGKILL')
    await closed
    return said.includes('done')
  }

  it('goes on from where it was, as often as it is killed', async () => {
    const both = { wrapping: [2, 1], versions: [2, 1] }
    let [left, kills] = [await verify({ wrapping: [1], versions: [1] }), 0]
    while (!(await renew(both, kills < 8 ? Math.random() * 60 : 60_000))) {
      kills += 1
      const now = await verify(both)
      assert.ok(now <= left, 'nothing that was done is undone')
      left = now
    }
    assert.ok(kills >= 3, `only ${kills} kills came in time to mean anything`)
    assert.equal(await verify(both), 0)

    const retired = { wrapping: [2], versions: [2] }
    for (let round = 0; !(await renew(retired, round < 3 ? Math.random() * 60 : 60_000)); round += 1)
      await verify(retired)
    await verify(retired)
    const { storage } = await open(retired)
    assert.deepEqual(await storage.people.dependences('indexes'), ['2'])
    await storage.close()
  }).timeout(120_000)
})
