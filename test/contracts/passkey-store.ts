/** What every `PasskeyStore` must do: one id once and for ever, one count once, and what was removed stays so. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Passkey, PasskeyStore } from '#src/verifiers/passkey/store.ts'

const random = () => randomBytes(16).toString('base64url')

export const passkey = (over: Partial<Passkey> = {}): Passkey => ({
  id: random(),
  person: random(),
  handle: random(),
  publicKey: random(),
  counter: 0,
  transports: ['internal'],
  syncable: false,
  synced: false,
  addedAt: 2,
  name: '我的手机',
  createdAt: 1_800_000_000_000,
  ...over,
})

export function passkeyStoreContract(name: string, open: () => Promise<PasskeyStore>): void {
  describe(`PasskeyStore: ${name}`, () => {
    let store: PasskeyStore
    beforeEach(async () => void (store = await open()))

    it('gives back what was added, by its id and by its person, oldest first', async () => {
      const one = passkey()
      const older = passkey({ person: one.person, createdAt: one.createdAt - 1 })
      for (const each of [one, older, passkey()]) assert.equal(await store.add(each), true)
      assert.deepEqual(await store.find(one.id), one)
      assert.deepEqual(await store.of(one.person), [older, one])
      assert.equal(await store.find(random()), undefined)
      assert.deepEqual(await store.of(random()), [])
    })

    it('gives an id to one of many who want it, and to nobody once it was removed', async () => {
      const { id } = passkey()
      const all = Array.from({ length: 8 }, () => passkey({ id }))
      const added = await Promise.all(all.map((one) => store.add(one)))
      assert.equal(added.filter(Boolean).length, 1)
      assert.equal((await store.find(id))?.person, all[added.indexOf(true)]?.person)
      await store.remove(id)
      assert.equal(await store.add(passkey({ id })), false)
      assert.equal(await store.find(id), undefined)
    })

    it('keeps what a use has told, and takes each count once', async () => {
      const one = passkey()
      await store.add(one)
      const use = { counter: 3, synced: false, at: one.createdAt + 5 }
      const uses = await Promise.all(Array.from({ length: 8 }, () => store.used(one, use)))
      assert.equal(uses.filter(Boolean).length, 1)
      assert.deepEqual(await store.find(one.id), { ...one, counter: 3, usedAt: one.createdAt + 5 })
      assert.equal(await store.used(one, { ...use, counter: 4, synced: true }), true)
      assert.equal((await store.find(one.id))?.synced, true)
    })

    it('lets one that does not count be used as often as its owner likes', async () => {
      const one = passkey()
      await store.add(one)
      for (const at of [1, 2, 3]) assert.equal(await store.used(one, { counter: 0, synced: true, at }), true)
    })

    it('renames, and forgets the use before for it no more than the name', async () => {
      const one = passkey()
      await store.add(one)
      await store.used(one, { counter: 2, synced: false, at: 7 })
      await store.rename(one.id, '旧手机')
      assert.deepEqual(await store.find(one.id), { ...one, counter: 2, usedAt: 7, name: '旧手机' })
      await store.rename(random(), 'x')
    })

    it('removes for good: no use and no name that was under way brings it back', async () => {
      const one = passkey()
      await store.add(one)
      const acts = [1, 2, 3, 4].map((counter) => store.used(one, { counter, synced: false, at: 1 }))
      await Promise.all([...acts, store.remove(one.id), store.rename(one.id, 'x')])
      assert.equal(await store.find(one.id), undefined)
      assert.equal(await store.used(one, { counter: 9, synced: false, at: 1 }), false)
      assert.deepEqual(await store.of(one.person), [])
      await store.remove(one.id)
    })
  })
}
