import assert from 'node:assert/strict'
import type { AuditEvent } from '#src/audit/recorder.ts'
import { createReceiptRecord } from '#src/login/receipts.ts'
import { PeerFailure } from '#src/peers/signed-http.ts'
import type { SmsGateway } from '#src/verifiers/sms/gateway.ts'
import { createReportDesk, pullReceipts } from '#src/verifiers/sms/receipts.ts'

describe('receipts on record', () => {
  it('say by reference what became of a code, once however often the carrier tells', async () => {
    const records: AuditEvent[] = []
    const spent = new Set<string>()
    const take = createReceiptRecord({
      recorder: { record: async (event) => void records.push(event) },
      artifacts: { spend: async (_kind, id) => !spent.has(id) && Boolean(spent.add(id)) },
    })
    const receipt = { gateway: 'cmpp', reference: 'aa', delivered: true }
    await Promise.all([take(receipt), take(receipt), take(receipt)])
    await take({ gateway: 'smpp', reference: 'aa', delivered: false, reason: 'code UNDELIV' })
    assert.deepEqual(records, [
      { type: 'challenge.delivered', outcome: 'ok', facts: { message: 'cmpp:aa' } },
      { type: 'challenge.undelivered', outcome: 'failed', reason: 'code UNDELIV', facts: { message: 'smpp:aa' } },
    ])
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
      assert.equal(await desk(name, key, {}), false)
    assert.equal(taken.length, 0)
    assert.equal(await desk('yunmas', 'key', {}), true)
    assert.equal(taken.length, 1)
  })
})
