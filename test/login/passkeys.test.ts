/** What changes of passkeys tell: the trail before it is done, the citizen's phones, and a reclaim that ends them all. */
import assert from 'node:assert/strict'
import type { AuditEvent } from '#src/audit/recorder.ts'
import { AppError, isAppError } from '#src/errors.ts'
import { createDirectory } from '#src/login/directory.ts'
import { createPasskeyStore } from '#src/login/passkey-store.ts'
import { createPasskeys, type Changer } from '#src/login/passkeys.ts'
import { createSealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { siteOf } from '#src/verifiers/passkey/answers.ts'
import { createEnrolment } from '#src/verifiers/passkey/enrolment.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { member } from '../support/login-rooms.ts'
import { openSealedStore } from '../support/sealing.ts'

const origin = 'http://localhost:3000'
const [phone, unproven] = ['+8619900000001', '+8619900000002']

async function openRooms(proofing: 1 | 2 = 2) {
  const { storage, sealing, vault } = await openSealedStore()
  const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, vault })
  const directory = createDirectory({ storage, ...sealing })
  const { kind, number, name } = member('yan')
  const document = { kind, number, status: 'proven' } as const
  const { id } = await directory.open({ name, document, phone, proven: true, proofing })
  const acts: string[] = []
  let failing: AuditEvent['type'] | undefined
  const store = createPasskeyStore({ artifacts })
  const passkeys = createPasskeys({
    ...{ artifacts, directory, perPerson: 5, freshness: 600, validity: 300 },
    store: {
      ...store,
      add: (passkey) => (acts.push('added'), store.add(passkey)),
      remove: (removed) => (acts.push('removed'), store.remove(removed)),
    },
    enrolment: createEnrolment({ site: siteOf(origin), siteName: '示例市一号', validity: 300 }),
    recorder: {
      async record({ type, outcome }) {
        if (type === failing) throw new AppError('audit_broken')
        acts.push(`${type} ${outcome}`)
      },
    },
    notices: { tell: async (_, event, phones) => void acts.push(`${event}:${phones.join()}`) },
  })
  const changer: Changer = {
    ...{ person: id, session: 's', level: 2, since: Math.floor(Date.now() / 1000) },
    trail: { reference: '00000-00000', address: '127.0.0.1', channel: 'web' },
  }
  const add = async (by = changer) => {
    const begun = await passkeys.begin(by)
    if (!('show' in begun)) return begun
    return passkeys.add(by, begun.challenge, createAuthenticator({ origin }).make(begun.show['options']), '我的手机')
  }
  return { acts, passkeys, directory, changer, add, fail: (type: typeof failing) => void (failing = type), storage, id }
}

describe('changes of passkeys', () => {
  it('are on record and told before they are done', async () => {
    const { acts, passkeys, changer, add, id, storage } = await openRooms()
    assert.equal(await add(), undefined)
    const [one] = await passkeys.of(id)
    await passkeys.remove(changer, one?.id ?? '')
    assert.deepEqual(acts, [
      ...['passkey.added ok', `passkey-added:${phone}`, 'added'],
      ...['passkey.removed ok', `passkey-removed:${phone}`, 'removed'],
    ])
    await storage.close()
  })

  it('do not happen where they cannot be recorded', async () => {
    const { passkeys, changer, add, fail, id, storage } = await openRooms()
    fail('passkey.added')
    await assert.rejects(add(), (error) => isAppError(error, 'audit_broken'))
    assert.deepEqual(await passkeys.of(id), [])
    fail(undefined)
    await add()
    const [one] = await passkeys.of(id)
    for (const type of ['passkey.removed', 'passkey.renamed'] as const) {
      fail(type)
      await assert.rejects(
        type === 'passkey.removed'
          ? passkeys.remove(changer, one?.id ?? '')
          : passkeys.rename(changer, one?.id ?? '', 'x'),
      )
    }
    assert.deepEqual(await passkeys.of(id), [one])
    await storage.close()
  })

  it('tell no phone that nobody has proven', async () => {
    const { acts, directory, add, id, storage } = await openRooms()
    const { kind, number } = member('elder')
    const claimed = { kind, number, status: 'claimed' } as const
    await directory.open({ name: '张三', document: claimed, phone: unproven, proven: false, proofing: 1 })
    await add()
    assert.ok(acts.includes(`passkey-added:${phone}`))
    assert.ok(!acts.join().includes(unproven))
    assert.ok(id)
    await storage.close()
  })

  it('are not for an account or a session below a real name', async () => {
    const low = await openRooms(1)
    assert.deepEqual(await low.add(), { code: 'passkey_not_added' })
    const { add, changer, storage } = await openRooms()
    assert.deepEqual(await add({ ...changer, level: 1 }), { code: 'passkey_not_added' })
    assert.deepEqual(await add({ ...changer, since: changer.since - 601 }), { code: 'passkey_stale' })
    await Promise.all([low.storage.close(), storage.close()])
  })

  it('give all of a person’s passkeys one random handle, which is nobody else’s', async () => {
    const [one, other] = [await openRooms(), await openRooms()]
    for (const rooms of [one, one, other]) await rooms.add()
    const handles = async ({ passkeys, id }: typeof one) => new Set((await passkeys.of(id)).map(({ handle }) => handle))
    const [mine, theirs] = [await handles(one), await handles(other)]
    assert.deepEqual([mine.size, theirs.size], [1, 1])
    assert.notDeepEqual(mine, theirs)
    await Promise.all([one.storage.close(), other.storage.close()])
  })

  it('end all of an account that goes to its true holder, each on record, and may be done twice', async () => {
    const { acts, passkeys, add, id, storage } = await openRooms()
    await add()
    await add()
    acts.length = 0
    for (const _ of [1, 2]) await passkeys.endAll(id)
    assert.deepEqual(await passkeys.of(id), [])
    assert.deepEqual(acts, ['passkey.removed ok', 'removed', 'passkey.removed ok', 'removed'])
    await storage.close()
  })
})
