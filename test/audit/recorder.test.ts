import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { openCheckpoint, verifyTrail } from '#src/audit/verify.ts'
import { identityContext, retentionKey } from '#src/audit/recorder.ts'
import { AppError, isAppError } from '#src/errors.ts'
import type { AuditTrail } from '#src/storage/storage.ts'
import { movableClock } from '../support/app.ts'
import { temporaryDirectories } from '../support/temporary.ts'
import { newSealer, openTrail, type Trail } from '../support/trail.ts'

const many = Array.from({ length: 200 }, (_, n) => n)
const login = { type: 'login', outcome: 'ok' } as const
const day = 86_400_000

describe('The recorder of the audit trail', () => {
  const directory = temporaryDirectories()
  let trail: Trail
  beforeEach(async () => {
    trail = await openTrail()
  })
  afterEach(() => trail.close())

  const rows = () => trail.storage.audit.read('node-1', 0, 1000)
  const verdict = async () => (await verifyTrail(trail.storage.audit, [{ ...trail.signer.publicJwk }]))[0]

  it('resolves once the record is durable, with its facts and reference', async () => {
    await trail.recorder.record({
      ...login,
      reference: 'ABCDE-FGHJK',
      level: 2,
      amr: ['sms'],
      facts: { grant: 'code' },
    })
    const [row] = await trail.storage.audit.byReference('ABCDE-FGHJK', 10)
    assert.deepEqual(JSON.parse(row?.body ?? ''), { ...login, level: 2, amr: ['sms'], facts: { grant: 'code' } })
    assert.equal(row?.seq, 1)
  })

  it('chains 200 records that come at once, without a gap', async () => {
    await Promise.all(many.map((n) => trail.recorder.record({ ...login, facts: { n } })))
    await trail.recorder.checkpoint()
    const found = await rows()
    assert.deepEqual(
      found.map(({ seq }) => seq),
      many.map((n) => n + 1),
    )
    const seen = new Set(found.map(({ body }) => (JSON.parse(body) as { facts: { n: number } }).facts.n))
    assert.equal(seen.size, 200)
    assert.deepEqual(await verdict(), { node: 'node-1', intact: true, records: 200, checkpoints: 1, signedTo: 200 })
  })

  describe('identities', () => {
    const somebody = { person: 'person-7', address: '192.0.2.77' }

    it('are sealed: neither name nor address stands in the store', async () => {
      await trail.recorder.record({ ...login, ...somebody })
      const text = JSON.stringify(await rows())
      assert.ok(!text.includes('person-7') && !text.includes('192.0.2.77'), text)
    })

    it('open with the retention key of their month, and with no other', async () => {
      await trail.recorder.record({ ...login, ...somebody })
      const { who, key } = JSON.parse((await rows())[0]?.body ?? '') as { who: string; key: string }
      const wrapped = (await trail.storage.dataKeys.get(key))?.wrapped ?? ''
      assert.deepEqual(JSON.parse(await trail.sealer.open(wrapped, key, who, identityContext)), somebody)
      const refused = (error: unknown) => isAppError(error, 'sealed_value_invalid')
      await assert.rejects(newSealer(9).open(wrapped, key, who, identityContext), refused)
      const other = await trail.sealer.newDataKey(key)
      await assert.rejects(trail.sealer.open(other, key, who, identityContext), refused)
    })

    it('cannot be read any more once their key has expired and was swept, and the chain still verifies', async () => {
      await trail.recorder.record({ ...login, ...somebody })
      await trail.recorder.checkpoint()
      const { key } = JSON.parse((await rows())[0]?.body ?? '') as { key: string }
      trail.clock.advance((184 + 32) * day)
      assert.equal(await trail.storage.dataKeys.get(key), undefined)
      assert.equal(await trail.storage.sweep(trail.clock.now(), 100), 1)
      await trail.recorder.record({ ...login, ...somebody })
      await trail.recorder.checkpoint()
      assert.deepEqual(await verdict(), { node: 'node-1', intact: true, records: 2, checkpoints: 2, signedTo: 2 })
      const later = JSON.parse((await rows())[1]?.body ?? '') as { key: string }
      assert.notEqual(later.key, key)
    })

    it('are sealed under the key as it was wrapped anew, within a minute', async () => {
      const { id } = retentionKey(trail.clock.now(), 184)
      while (retentionKey(trail.clock.now() + 180_000, 184).id !== id) trail.clock.advance(-180_000)
      await trail.recorder.record({ ...login, ...somebody })
      const { wrapped = '' } = (await trail.storage.dataKeys.get(id)) ?? {}
      // A wrapping that nobody can open shows which one is used.
      assert.ok(await trail.storage.dataKeys.replace(id, wrapped, '1.k9.x'))
      await trail.recorder.record({ ...login, ...somebody })
      trail.clock.advance(60_000)
      await assert.rejects(trail.recorder.record({ ...login, ...somebody }), (error) =>
        isAppError(error, 'audit_broken'),
      )
      assert.ok(await trail.storage.dataKeys.replace(id, '1.k9.x', wrapped))
      trail.clock.advance(60_000)
      await trail.recorder.record({ ...login, ...somebody })
    })

    it('are sealed under one key a month, kept for the retention after its end', () => {
      const { id, expiresAt } = retentionKey(Date.UTC(2026, 11, 31, 23, 59), 184)
      assert.equal(id, 'audit:2026-12')
      assert.equal(expiresAt, Date.UTC(2027, 0, 1) + 184 * day)
      assert.notEqual(retentionKey(Date.UTC(2027, 0, 1), 184).id, id)
    })
  })

  describe('checkpoints', () => {
    it('sign the head with the audit key, once', async () => {
      await trail.recorder.record(login)
      await trail.recorder.checkpoint()
      await trail.recorder.checkpoint()
      const found = await trail.storage.audit.checkpoints('node-1', 0, 10)
      assert.equal(found.length, 1)
      const said = await openCheckpoint(found[0]?.jws ?? '', [{ ...trail.signer.publicJwk }])
      const { seq, hash } = (await rows())[0] ?? {}
      assert.deepEqual({ node: said?.node, seq: said?.seq, hash: said?.hash }, { node: 'node-1', seq, hash })
    })

    it('sign nothing while there is nothing', async () => {
      await trail.recorder.checkpoint()
      assert.equal(await trail.storage.audit.lastCheckpoint('node-1'), undefined)
    })

    it('come by themselves after so many records, one at a time', async () => {
      const often = await openTrail({ checkpointRecords: 10 })
      await Promise.all(many.map(() => often.recorder.record(login)))
      while ((await often.storage.audit.lastCheckpoint('node-1'))?.seq !== 200) await setImmediate()
      assert.ok((await often.storage.audit.checkpoints('node-1', 0, 1000)).length <= 20)
      await often.close()
      assert.deepEqual(often.faults, [])
    })

    it('sign what the recorder wrote, so that a last row changed in the store does not get a signature', async () => {
      const cheated = await openTrail({
        audit: (real) => ({
          ...real,
          last: async (node) => {
            const last = await real.last(node)
            return last && { ...last, hash: 'f'.repeat(64) }
          },
        }),
      })
      await cheated.recorder.record(login)
      await cheated.recorder.checkpoint()
      const [verdict] = await verifyTrail(cheated.storage.audit, [{ ...cheated.signer.publicJwk }])
      assert.deepEqual([verdict?.intact, verdict?.signedTo], [true, 1])
      await cheated.close()
    })
  })

  describe('after a restart on the same store', () => {
    const again = async (first: Trail, file: string) => openTrail({ file, signer: first.signer, clock: movableClock() })

    it('goes on where it ended, and closes cleanly although nothing new came', async () => {
      const file = join(directory(), 'yihao.db')
      const one = await openTrail({ file })
      await one.recorder.record(login)
      await one.close()
      const two = await again(one, file)
      await two.close()
      assert.deepEqual(two.faults, [])
      const three = await again(one, file)
      await three.recorder.record(login)
      await three.recorder.checkpoint()
      assert.deepEqual(await verifyTrail(three.storage.audit, [{ ...one.signer.publicJwk }]), [
        { node: 'node-1', intact: true, records: 2, checkpoints: 2, signedTo: 2 },
      ])
      await three.close()
    })

    it('signs what a crash left unsigned', async () => {
      const file = join(directory(), 'yihao.db')
      const one = await openTrail({ file })
      await one.recorder.record(login)
      await one.storage.close()
      const two = await again(one, file)
      await two.recorder.checkpoint()
      assert.equal((await two.storage.audit.lastCheckpoint('node-1'))?.seq, 1)
      await two.close()
    })
  })

  describe('when the store fails', () => {
    const failing = (fails: (call: number) => boolean) => {
      let calls = 0
      return (real: AuditTrail): AuditTrail => ({
        ...real,
        append: async (given) => {
          calls += 1
          if (fails(calls)) throw new AppError('storage_unavailable', { detail: 'the disk is full' })
          await real.append(given)
        },
      })
    }
    const outcomes = (recorder: Trail['recorder'], count: number) =>
      Promise.allSettled(many.slice(0, count).map((n) => recorder.record({ ...login, facts: { n } })))

    it('says audit_broken, and the next records chain on without a gap', async () => {
      const broken = await openTrail({ audit: failing((call) => call === 2) })
      await broken.recorder.record(login)
      await assert.rejects(broken.recorder.record(login), (error) => isAppError(error, 'audit_broken'))
      await broken.recorder.record(login)
      await broken.recorder.checkpoint()
      const [found] = await verifyTrail(broken.storage.audit, [{ ...broken.signer.publicJwk }])
      assert.deepEqual(found, { node: 'node-1', intact: true, records: 2, checkpoints: 1, signedTo: 2 })
      await broken.close()
    })

    it('loses exactly the records it refused while many come at once', async () => {
      const broken = await openTrail({ audit: failing((call) => call % 3 === 2) })
      let written = 0
      for (let round = 0; round < 10; round += 1) {
        const settled = await outcomes(broken.recorder, 20)
        written += settled.filter(({ status }) => status === 'fulfilled').length
      }
      assert.ok(written > 0 && written < 200, `${written} written`)
      const [found] = await verifyTrail(broken.storage.audit, [])
      assert.deepEqual([found?.intact, found?.records], [true, written])
      await broken.close()
    })

    it('goes on where the failed write did arrive after all', async () => {
      let fail = true
      const broken = await openTrail({
        audit: (real) => ({
          ...real,
          append: async (given) => {
            await real.append(given)
            if (fail) throw new AppError('storage_unavailable', { detail: 'the answer was lost' })
          },
        }),
      })
      await assert.rejects(broken.recorder.record(login), (error) => isAppError(error, 'audit_broken'))
      fail = false
      await broken.recorder.record(login)
      const [found] = await verifyTrail(broken.storage.audit, [])
      assert.deepEqual([found?.intact, found?.records], [true, 2])
      await broken.close()
    })

    it('says audit_broken also where the identity cannot be sealed', async () => {
      const closed = await openTrail()
      await closed.close()
      await assert.rejects(closed.recorder.record({ ...login, person: 'p' }), (error) =>
        isAppError(error, 'audit_broken'),
      )
    })

    it('tells of a checkpoint that could not be written, and closes all the same', async () => {
      const broken = await openTrail({
        audit: (real) => ({
          ...real,
          putCheckpoint: () => Promise.reject(new AppError('storage_unavailable')),
        }),
      })
      await broken.recorder.record(login)
      await broken.close()
      assert.equal(broken.faults.length, 1)
    })
  })
})
