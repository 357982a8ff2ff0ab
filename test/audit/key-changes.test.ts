import { strict as assert } from 'node:assert'
import { createKeyRecord } from '#src/audit/key-changes.ts'
import type { AuditEvent } from '#src/audit/recorder.ts'
import type { KeyDescription, KeyState } from '#src/crypto/keys.ts'
import { createSealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { keysSeenKind } from '#src/storage/storage.ts'
import { createVault } from '#src/storage/vault.ts'
import { openTrail, type Trail } from '../support/trail.ts'

const key = (kid: string, state: KeyState): KeyDescription => ({ kid, use: 'sig', alg: 'ES256', state })

describe('The record of key changes', () => {
  let trail: Trail
  beforeEach(async () => {
    trail = await openTrail()
  })
  afterEach(() => trail.close())

  const recordOf = async (node = 'node-1') => {
    const { storage, sealer, recorder } = trail
    const vault = createVault({ dataKeys: storage.dataKeys, sealer, id: 'artifacts' })
    const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, vault })
    return createKeyRecord({ artifacts, recorder, kind: keysSeenKind, node })
  }
  let read = 0
  beforeEach(() => void (read = 0))
  const told = async () => {
    const rows = await trail.storage.audit.read('node-1', read, 100)
    read += rows.length
    return rows.map(({ body }) => {
      const { type, facts } = JSON.parse(body) as AuditEvent
      return `${type} ${String(facts?.['kid'])}`
    })
  }

  it('tells every change by the id, use and algorithm of the key, and nothing where nothing changed', async () => {
    const record = await recordOf()
    await record([key('a', 'active')])
    assert.deepEqual(await told(), ['key.activated a'])
    await record([key('a', 'active'), key('b', 'next')])
    assert.deepEqual(await told(), ['key.published b'])
    await record([key('b', 'next'), key('a', 'active')])
    assert.deepEqual(await told(), [], 'an order is no change')
    await record([key('b', 'active'), key('a', 'retired')])
    assert.deepEqual(await told(), ['key.activated b', 'key.retired a'])
    await record([key('b', 'active')])
    assert.deepEqual(await told(), ['key.removed a'])
    const [row] = await trail.storage.audit.read('node-1', 0, 1)
    assert.deepEqual((JSON.parse(row?.body ?? '') as AuditEvent).facts, { kid: 'a', use: 'sig', alg: 'ES256' })
  })

  it('tells at a start what changed while the server was down, and not again what it told', async () => {
    await (
      await recordOf()
    )([key('a', 'active'), key('b', 'next')])
    await told()
    await (
      await recordOf()
    )([key('a', 'active'), key('b', 'next')])
    assert.deepEqual(await told(), [])
    await (
      await recordOf()
    )([key('c', 'active'), key('b', 'retired')])
    assert.deepEqual(await told(), ['key.activated c', 'key.retired b', 'key.removed a'])
  })

  it('is kept for each node', async () => {
    await (
      await recordOf('node-2')
    )([key('a', 'active')])
    await (
      await recordOf('node-3')
    )([key('a', 'active')])
    assert.equal((await told()).length, 2)
  })
})
