import { strict as assert } from 'node:assert'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { carryOver, provenMissing } from '#src/audit/carry-over.ts'
import { verifyTrail } from '#src/audit/verify.ts'
import { isAppError } from '#src/errors.ts'
import { openAuditReader } from '#src/storage/open.ts'
import { temporaryDirectories } from '../support/temporary.ts'
import { newSigner, openTrail, type Trail } from '../support/trail.ts'

describe('the audit trail across a restore', () => {
  const directories = temporaryDirectories()
  let old: string
  let trail: Trail
  let anchor: string

  /** A backup of two records with their checkpoint, and an old store that goes on to five and a checkpoint. */
  beforeEach(async () => {
    const directory = directories()
    old = join(directory, 'old.db')
    const signer = await newSigner()
    const living = await openTrail({ file: old, signer })
    const write = async (count: number) => {
      for (let n = 0; n < count; n += 1) await living.recorder.record({ type: 'login', outcome: 'ok', person: `p${n}` })
      await living.recorder.checkpoint()
    }
    await write(2)
    const copy = new DatabaseSync(old)
    copy.prepare('VACUUM INTO ?').run(join(directory, 'backup.db'))
    copy.close()
    await write(3)
    anchor = (await living.storage.audit.lastCheckpoint('node-1'))?.jws ?? ''
    await living.close()
    trail = await openTrail({ file: join(directory, 'backup.db'), signer })
  })
  afterEach(() => trail.close())

  const keys = () => [trail.signer.publicJwk]

  async function carry() {
    const reader = await openAuditReader(old)
    try {
      return await carryOver(reader, trail.storage.audit, keys())
    } finally {
      await reader.close()
    }
  }

  /** Changes the old store as somebody with the file in his hands would. */
  function tamper(sql: string): void {
    const changed = `${old}.changed`
    copyFileSync(old, changed)
    const db = new DatabaseSync(changed)
    for (const { name } of db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all())
      db.exec(`DROP TRIGGER ${String(name)}`)
    db.exec(sql)
    db.close()
    old = changed
  }
  const intact = async (...anchors: readonly string[]) =>
    (await verifyTrail(trail.storage.audit, keys(), anchors)).map(({ intact, records }) => ({ intact, records }))

  it('takes over every newer record with its checkpoint, and goes on from there', async () => {
    assert.deepEqual(await carry(), [{ node: 'node-1', records: 3 }])
    await trail.recorder.record({ type: 'store.restored', outcome: 'ok' })
    await trail.recorder.checkpoint()
    assert.deepEqual(await intact(anchor), [{ intact: true, records: 6 }])
    assert.equal(await provenMissing(trail.storage.audit, [anchor], keys()), 0)
  })

  it('takes over nothing twice', async () => {
    await carry()
    assert.deepEqual(await carry(), [{ node: 'node-1', records: 0 }])
  })

  for (const [what, sql, records, fault] of [
    ['a record was changed', "UPDATE audit SET body = '{}' WHERE seq = 4", 1, /record 4 is missing or was changed/],
    ['a record is gone', 'DELETE FROM audit WHERE seq = 3', 0, /record 3 is missing or was changed/],
    ['the record of the backup is another', "UPDATE audit SET hash = 'x' WHERE seq = 2", 0, /record 2 is not the one/],
    ['the end was cut off', 'DELETE FROM audit WHERE seq > 3', 1, /signs a record 5 that is not here/],
    ['a checkpoint is forged', "UPDATE checkpoints SET jws = 'a.b.c' WHERE seq = 5", 3, /not signed by a known key/],
  ] as const)
    it(`stops before what does not follow, and says so, where ${what}`, async () => {
      tamper(sql)
      const [carried, ...more] = await carry()
      assert.equal(more.length, 0)
      assert.equal(carried?.records, records)
      assert.match(carried?.fault ?? '', fault)
      assert.deepEqual(await intact(), [{ intact: true, records: 2 + records }])
      assert.equal(await provenMissing(trail.storage.audit, [anchor], keys()), 3 - records)
    })

  it('carries the trail of a node that the backup does not know', async () => {
    const other = await openTrail({ file: old, signer: trail.signer, node: 'node-2' })
    await other.recorder.record({ type: 'login', outcome: 'ok' })
    await other.close()
    assert.deepEqual(await carry(), [
      { node: 'node-1', records: 3 },
      { node: 'node-2', records: 1 },
    ])
    assert.ok((await intact()).every((one) => one.intact))
  })

  it('counts from anchors what is missing where nothing could be carried over', async () => {
    assert.equal(await provenMissing(trail.storage.audit, [], keys()), 0)
    assert.equal(await provenMissing(trail.storage.audit, [anchor, anchor], keys()), 3)
  })

  it('refuses an anchor that is not signed by a known key, or signs another trail than this', async () => {
    const broken = (error: unknown) => isAppError(error, 'audit_broken')
    await assert.rejects(provenMissing(trail.storage.audit, ['a.b.c'], keys()), broken)
    const stranger = await openTrail({ signer: trail.signer })
    await stranger.recorder.record({ type: 'login', outcome: 'ok' })
    await stranger.recorder.checkpoint()
    const jws = (await stranger.storage.audit.lastCheckpoint('node-1'))?.jws ?? ''
    await stranger.close()
    await assert.rejects(provenMissing(trail.storage.audit, [jws], keys()), broken)
  })
})
