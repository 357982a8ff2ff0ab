import assert from 'node:assert/strict'
import { wrappingKeyOf } from '#src/crypto/key-wrapper.ts'
import { createSealer, type Sealer } from '#src/crypto/sealer.ts'
import { AppError } from '#src/errors.ts'
import { openStorage } from '#src/storage/open.ts'
import type { Store } from '#src/storage/storage.ts'
import { createVault } from '#src/storage/vault.ts'
import { movableClock, type Clock } from '../support/app.ts'
import { sealerKeys } from '../support/sealing.ts'

describe('a vault', () => {
  let storage: Store
  let clock: Clock
  let sealer: Sealer
  /** The wrapping keys of the data keys that were used. */
  let used: string[]

  beforeEach(async () => {
    clock = movableClock()
    used = []
    storage = await openStorage({ kind: 'sqlite', file: ':memory:' }, clock.now)
    const real = createSealer(() => sealerKeys([1]))
    sealer = { ...real, seal: (key, ...rest) => (used.push(wrappingKeyOf(key)), real.seal(key, ...rest)) }
  })
  afterEach(() => storage.close())

  const open = (over: Partial<Parameters<typeof createVault>[0]> = {}) =>
    createVault({ dataKeys: storage.dataKeys, sealer, id: 'some', now: clock.now, ...over })

  it('has one key, however many make it at once', async () => {
    const vaults = Array.from({ length: 10 }, () => open())
    const sealed = await Promise.all(vaults.map((vault) => vault.seal('value', 'place')))
    for (const vault of vaults) for (const text of sealed) assert.equal(await vault.open(text, 'place'), 'value')
    await assert.rejects(open({ id: 'other' }).open(sealed[0] ?? '', 'place'))
  })

  it('takes up its key as it was wrapped anew elsewhere, within a minute', async () => {
    const vault = open()
    await vault.seal('value', 'place')
    const row = (await storage.dataKeys.get('some')) ?? assert.fail()
    const later = createSealer(() => sealerKeys([2, 1]))
    await storage.dataKeys.replace('some', row.wrapped, (await later.rewrap(row.wrapped, 'some')) ?? '')
    await vault.seal('value', 'place').catch(() => undefined)
    clock.advance(60_000)
    await assert.rejects(vault.seal('value', 'place'), 'this one has not seen the new wrapping key')
    assert.deepEqual(used, ['k1', 'k1', 'k2'])
  })

  it('asks again after the store was out of reach', async () => {
    let failing = true
    const get = async (id: string) => {
      if (failing) throw new AppError('storage_unavailable')
      return storage.dataKeys.get(id)
    }
    const vault = open({ dataKeys: { ...storage.dataKeys, get } })
    await assert.rejects(vault.seal('value', 'place'))
    failing = false
    assert.equal(await vault.open(await vault.seal('value', 'place'), 'place'), 'value')
  })
})
