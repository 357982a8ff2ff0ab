import assert from 'node:assert/strict'
import type { AuditEvent } from '#src/audit/recorder.ts'
import { isAppError } from '#src/errors.ts'
import { createReceiptRecord } from '#src/login/receipts.ts'
import { PeerFailure } from '#src/peers/signed-http.ts'
import { createSealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { createVault } from '#src/storage/vault.ts'
import type { SmsGateway } from '#src/verifiers/sms/gateway.ts'
import { createReportDesk, pullReceipts } from '#src/verifiers/sms/receipts.ts'
import { openTrail, type Trail } from '../support/trail.ts'

describe('receipts on record', () => {
  let trail: Trail
  let take: ReturnType<typeof createReceiptRecord>
  const receipt = { gateway: 'cmpp', reference: 'aa', delivered: true }
  const records = async () =>
    (await trail.storage.audit.read('node-1', 0, 100)).map(({ body }) => JSON.parse(body) as AuditEvent)

  beforeEach(async () => {
    trail = await openTrail()
    const { storage, sealer, recorder, clock } = trail
    const vault = createVault({ dataKeys: storage.dataKeys, sealer, id: 'artifacts', now: clock.now })
    const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, vault })
    take = createReceiptRecord({ recorder, artifacts, now: clock.now })
  })
  afterEach(() => trail.close())

  it('say by reference what became of a code, once however often the carrier tells', async () => {
    await Promise.all([take(receipt), take(receipt), take(receipt)])
    await take({ ...receipt, delivered: false })
    await take({ gateway: 'smpp', reference: 'aa', delivered: false, reason: 'code UNDELIV' })
    assert.deepEqual(await records(), [
      { type: 'challenge.delivered', outcome: 'ok', facts: { message: 'cmpp:aa' } },
      { type: 'challenge.undelivered', outcome: 'failed', reason: 'code UNDELIV', facts: { message: 'smpp:aa' } },
    ])
  })

  it('are told to be repeated where they could not be written, and are taken then', async () => {
    const { audit } = trail.storage
    const { append } = audit
    Object.assign(audit, { append: () => Promise.reject(new Error('the disk is full')) })
    await assert.rejects(take(receipt), (error) => isAppError(error, 'audit_broken'))
    Object.assign(audit, { append })
    await take(receipt)
    assert.equal((await records()).length, 1)
  })
})

describe('receipts that do not come by themselves', () => {
  const gateway = (name: string, pull: SmsGateway['pull'] & object): SmsGateway => ({
    ...{ name, pull },
    send: async () => ({ reference: 'r' }),
  })

  it('are asked for again and again, whatever one gateway does, until it is stopped', async () => {
    const faults: string[] = []
    let rounds = 0
    const receipt = { gateway: 'well', reference: 'r', delivered: true }
    const stop = await new Promise<() => Promise<void>>((done) => {
      const stopping = pullReceipts(
        [
          { gateway: gateway('ill', () => Promise.reject(new PeerFailure('timeout'))) },
          { gateway: gateway('well', async () => [receipt]) },
        ],
        {
          everyMs: 5,
          onFault: (name) => void faults.push(name),
          async onReceipt(got) {
            assert.deepEqual(got, receipt)
            rounds += 1
            if (rounds === 3) done(stopping)
          },
        },
      )
    })
    await stop()
    assert.equal(rounds, 3)
    assert.deepEqual(faults, ['ill', 'ill', 'ill'])
  })

  it('are taken from a carrier that posts them with its key, and from nobody else', async () => {
    const taken: unknown[] = []
    const reports: SmsGateway = {
      ...{ name: 'yunmas', send: async () => ({ reference: 'r' }) },
      reported: () => [{ gateway: 'yunmas', reference: 'r', delivered: true }],
    }
    const desk = createReportDesk([{ gateway: reports }], new Map([['yunmas', 'key']]), async (receipt) => {
      taken.push(receipt)
    })
    for (const [name, key] of [
      ['yunmas', 'other'],
      ['yunmas', ''],
      ['aliyun', 'key'],
      ['__proto__', 'key'],
    ] as const)
      assert.equal(desk(name, key), undefined)
    await desk('yunmas', 'key')?.({})
    assert.equal(taken.length, 1)
  })
})
