/** A reclaim that breaks off at any of its steps: nothing of it stands then, or all of it. */
import assert from 'node:assert/strict'
import type { AuditEvent } from '#src/audit/recorder.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import type { CitizenNotices } from '#src/login/citizen-notices.ts'
import { createDirectory, type Directory } from '#src/login/directory.ts'
import { createOwnership } from '#src/login/ownership.ts'
import { member, trail } from '../support/login-rooms.ts'
import { openSealedStore } from '../support/sealing.ts'

const { kind, number, name, phone: ownPhone = '' } = member('yan')
const strangersPhone = '+8619900000099'

/** A claimed account of a stranger who has agreed to something, and rooms that fail at their n-th act. */
async function openRooms() {
  const { storage, sealing } = await openSealedStore()
  const directory = createDirectory({ storage, ...sealing })
  const acts: string[] = []
  let failAt = Infinity
  const acting =
    <A extends unknown[], T>(act: (...args: A) => Promise<T>, label: string | ((...args: A) => string)) =>
    async (...args: A): Promise<T> => {
      if (acts.length + 1 === failAt) {
        failAt = Infinity
        throw new Error('broken off')
      }
      acts.push(typeof label === 'string' ? label : label(...args))
      return act(...args)
    }
  const nothing = async () => undefined
  const consents = new Set<string>()
  const watched: Directory = {
    ...directory,
    endPhone: acting(directory.endPhone, 'phone ended'),
    bindProven: acting(directory.bindProven, 'bound'),
  }
  const ownership = createOwnership({
    directory: watched,
    recorder: {
      record: acting(
        async (_: AuditEvent) => undefined,
        ({ type }) => type,
      ),
    },
    notices: {
      tell: acting(
        async (..._: Parameters<CitizenNotices['tell']>) => undefined,
        (_, event, phones) => `${event}:${phones.join()}`,
      ),
      tellOfTry: nothing,
    },
    endWays: acting(nothing, 'passkeys ended'),
    endSessions: acting(nothing, 'sessions ended'),
    hidePast: acting(async (person: string) => void consents.delete(person), 'hidden'),
  })
  const document = parseDocument(kind, number)
  const claimed = await ownership.claim({ document, name, phone: strangersPhone, trail }, true)
  assert.ok(claimed.ok)
  const { id } = claimed.citizen
  consents.add(id)
  acts.length = 0
  return {
    acts,
    id,
    consents,
    failAt: (at: number) => void (failAt = at),
    prove: () => ownership.prove({ document, name, level: 2, phone: ownPhone, trail }),
    account: async () => {
      const citizen = await directory.byId(id)
      assert.ok(citizen)
      return { proofing: citizen.proofing, phones: citizen.phones.map((phone) => phone.number) }
    },
    close: () => storage.close(),
  }
}

describe('a reclaim that breaks off', () => {
  const needed = [
    'account.reclaimed',
    'account.proofed',
    `claim-ended:${strangersPhone}`,
    `reclaimed:${ownPhone}`,
    'phone ended',
    'passkeys ended',
    'sessions ended',
    'hidden',
    'bound',
  ]

  it('binds the owner last, once nothing of the claimant is left', async () => {
    const rooms = await openRooms()
    assert.ok((await rooms.prove()).ok)
    assert.deepEqual(
      rooms.acts.filter((act) => !act.startsWith('phone-bound')),
      [...needed, 'passkeys ended', 'sessions ended', 'hidden'],
    )
    await rooms.close()
  })

  it('is done, or is completed by the next proof, at whichever act it breaks off', async () => {
    for (let at = 1; ; at += 1) {
      const rooms = await openRooms()
      rooms.failAt(at)
      const broken = await rooms.prove().then(
        () => false,
        () => true,
      )
      // A proof that is through opens the account at its next sign-in: nobody proves it once more.
      if ((await rooms.account()).proofing === 1) assert.ok((await rooms.prove()).ok, `${at}`)
      assert.deepEqual(await rooms.account(), { proofing: 2, phones: [ownPhone] })
      for (const act of needed) assert.ok(rooms.acts.includes(act), `${act}, broken off at act ${at}`)
      assert.ok(!rooms.consents.has(rooms.id), 'the claimant’s word does not bind the owner')
      await rooms.close()
      if (!broken) return assert.ok(at > needed.length)
    }
  })

  it('is one reclaim where two proofs come at once', async () => {
    const rooms = await openRooms()
    const both = await Promise.all([rooms.prove(), rooms.prove()])
    assert.ok(both.every(({ ok }) => ok))
    for (const once of [`claim-ended:${strangersPhone}`, 'account.reclaimed'])
      assert.equal(rooms.acts.filter((act) => act === once).length, 1, once)
    await rooms.close()
  })
})
