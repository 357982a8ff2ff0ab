import { strict as assert } from 'node:assert'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '#src/config.ts'
import { withNext } from '#src/crypto/key-change.ts'
import { keyLines } from '#src/crypto/key-entry.ts'
import { overlapMs } from '#src/crypto/key-life.ts'
import { openKeyRing, type FileKeyRing } from '#src/crypto/key-ring.ts'
import { changeKeys, createKeys, resealKeys } from '#src/crypto/key-store.ts'
import { isAppError } from '#src/errors.ts'
import { movableClock, type Clock } from '../support/app.ts'
import { forge, keyFile, keysIn } from '../support/keys.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const hour = 3_600_000

describe('The key ring', () => {
  const directory = temporaryDirectories()
  let config: Config
  let clock: Clock
  let ring: FileKeyRing
  let faults: unknown[]
  let changes: number

  beforeEach(async () => {
    config = keysIn(directory())
    clock = movableClock()
    faults = []
    changes = 0
    await createKeys(config.keys, 'development', { now: clock.now })
    ring = await openKeyRing(config, { now: clock.now, onFault: (error) => void faults.push(error) })
    ring.onChange(() => void (changes += 1))
  })
  afterEach(() => ring.close())

  const sm2 = () => ring.current().signers.filter(({ key }) => key.alg === 'SGD_SM3_SM2')
  const states = () => sm2().map(({ state }) => state)
  const rotate = (use: string, after: number) =>
    changeKeys(
      config,
      (file, kek) =>
        withNext(
          file,
          kek,
          keyLines.filter((line) => line.use === use),
          after,
          { now: clock.now(), overlap: overlapMs(config) },
        ),
      { now: clock.now },
    )

  it('takes up a key that is added, and carries it from next to active to retired to gone', async () => {
    const first = sm2()[0]?.key.kid
    await rotate('sig', 3600)
    await ring.look()
    assert.deepEqual(states(), ['active', 'next'])
    assert.equal(sm2()[0]?.key.kid, first, 'the active one stands first and signs')
    clock.advance(hour)
    await ring.look()
    assert.deepEqual(states(), ['active', 'retired'])
    assert.equal(sm2()[1]?.key.kid, first)
    clock.advance(overlapMs(config) - 1000)
    await ring.look()
    assert.deepEqual(states(), ['active', 'retired'])
    clock.advance(1000)
    await ring.look()
    assert.deepEqual(states(), ['active'])
    assert.notEqual(sm2()[0]?.key.kid, first)
    assert.equal(changes, 3)
    assert.deepEqual(faults, [])
  })

  it('does nothing while nothing changes, and goes back where a clock is set back', async () => {
    await ring.look()
    assert.equal(changes, 0)
    await rotate('sig', 3600)
    clock.advance(hour)
    await ring.look()
    assert.deepEqual(states(), ['active', 'retired'])
    clock.advance(-hour)
    await ring.look()
    assert.deepEqual(states(), ['active', 'next'])
  })

  it('changes at the moment itself, without being told to look', async () => {
    await rotate('cookies', 1)
    await ring.look()
    const changed = new Promise<void>((done) => ring.onChange(done))
    const [old] = ring.current().cookies
    assert.equal(ring.current().cookies.length, 2, 'a cookie of a node that is a moment ahead verifies')
    await changed
    assert.deepEqual(ring.current().cookies[1], old)
  })

  it('gives a node that has a copy of the file the same active key at the same moment', async () => {
    await rotate('sig', 3600)
    const elsewhere = keysIn(directory())
    for (const name of ['keyring.json', 'kek'])
      copyFileSync(join(config.keys.directory, name), join(elsewhere.keys.directory, name))
    const other = await openKeyRing(elsewhere, { now: clock.now, onFault: (error) => assert.fail(String(error)) })
    await ring.look()
    const active = ({ current }: FileKeyRing) => current().described.map(({ kid, state }) => [kid, state])
    for (const step of [hour - 1000, 1000, overlapMs(config) - 1, 1]) {
      clock.advance(step)
      await Promise.all([ring.look(), other.look()])
      assert.deepEqual(active(other), active(ring))
    }
    assert.ok(changes >= 3)
    await other.close()
  })

  it('goes on with its keys where the file is damaged, changed, foreign or missing, and tells of it once', async () => {
    const good = readFileSync(keyFile(config.keys.directory), 'utf8')
    const other = keysIn(directory())
    await createKeys(other.keys, 'generated')
    const before = ring.current()
    const put = (text: string) => writeFileSync(keyFile(config.keys.directory), text, { mode: 0o600 })
    const wrongs: [change: () => void, said: RegExp][] = [
      [() => put(good.slice(0, 100)), /is damaged/],
      [() => forge(config.keys.directory, ({ keys }) => void keys.splice(1, 1)), /was changed by hand/],
      [() => put(readFileSync(keyFile(other.keys.directory), 'utf8')), /sealed under another key-encryption key/],
      [() => rmSync(keyFile(config.keys.directory)), /is missing/],
    ]
    for (const [index, [change, said]] of wrongs.entries()) {
      put(good)
      change()
      await ring.look()
      await ring.look()
      const [fault] = faults.splice(0)
      assert.ok(isAppError(fault, 'key_invalid'), String(index))
      assert.match(fault.detail ?? '', said)
      assert.deepEqual(faults, [], 'told once')
      assert.deepEqual(ring.current().described, before.described)
    }
    put(good)
    await ring.look()
    assert.deepEqual(faults, [])
  })

  it('lets the keys that it has go on with their lives while the file is faulty', async () => {
    await rotate('sig', 3600)
    await ring.look()
    rmSync(keyFile(config.keys.directory))
    await ring.look()
    clock.advance(hour)
    await ring.look()
    assert.deepEqual(states(), ['active', 'retired'])
    assert.equal(faults.length, 1)
  })

  it('takes a resealed file up once its KEK stands where the settings say', async () => {
    const file = join(config.keys.directory, 'new')
    await resealKeys(config, { file })
    await ring.look()
    assert.match(String(faults.splice(0)[0]), /another key-encryption key/)
    copyFileSync(file, join(config.keys.directory, 'kek'))
    await ring.look()
    assert.deepEqual(faults, [])
    await rotate('sig', 60)
    await ring.look()
    assert.deepEqual(states(), ['active', 'next'])
  })
})
