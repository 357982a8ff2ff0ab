/** CMPP 2.0 and 3.0 against a gateway in another language that checks every byte against the tables of the protocol. */
import assert from 'node:assert/strict'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { createCmppGateway, type CmppAccount } from '#src/verifiers/sms/cmpp/gateway.ts'
import type { Receipt, SmsGateway } from '#src/verifiers/sms/gateway.ts'
import { codeText, noticeText } from '#src/verifiers/sms/texts.ts'
import { cmppAccount, cmppSecret, startCmppServer, type CmppServer } from '../../support/cmpp-gateway.ts'

const phone = '+8619900000001'
const city = { zh: '示例市', en: 'Example City' }
const long = codeText({ code: '012345', minutes: 5, claim: { locale: 'zh', purpose: '社保𠮷'.repeat(24) }, city })
const short = { ...long, text: '【示例市一号】验证码012345，5分钟内有效。' }
const notice = noticeText({ event: 'tried', at: 1_800_000_000_000, locale: 'en', city, hotline: '12345' })

for (const version of ['2.0', '3.0'] as const) {
  describe(`the gateway over CMPP ${version}`, () => {
    let server: CmppServer
    let receipts: Receipt[]
    let faults: unknown[]
    let onReceipt: () => Promise<void>
    let open: SmsGateway[] = []
    beforeEach(async () => {
      server = await startCmppServer(version)
      receipts = []
      faults = []
      onReceipt = async () => undefined
    })
    afterEach(async () => {
      await Promise.all(open.map((gateway) => gateway.close?.()))
      open = []
      server.close()
      assert.deepEqual(
        server.happened.filter(({ event }) => event === 'violation'),
        [],
      )
    })

    const make = (over: Partial<CmppAccount> = {}, place: object = {}): SmsGateway => {
      const onFault = (error: unknown) => void faults.push(error)
      const gateway = createCmppGateway({
        ...{ name: 'cmpp', version, account: cmppAccount, secret: cmppSecret, serviceId: 'YIHAO', source: '10690001' },
        place: { host: '127.0.0.1', port: server.port, tls: false, window: 16, patienceMs: 500, onFault, ...place },
        ...{ checkGateway: true, timeoutMs: 2_000 },
        onReceipt: async (receipt) => {
          await onReceipt()
          receipts.push(receipt)
        },
        ...over,
      })
      open.push(gateway)
      return gateway
    }
    const fails = (sending: Promise<unknown>, detail: RegExp) =>
      assert.rejects(sending, (error) => {
        assert.ok(error instanceof PeerFailure && !(error instanceof PeerRefusal), String(error))
        assert.match(error.detail, detail)
        return true
      })

    it('logs in and sends a short text as one message, the reference being the carrier’s', async () => {
      const { reference } = await make().send(phone, short)
      assert.equal((await server.next('connect'))['version'], version === '2.0' ? 0x20 : 0x30)
      const { id, event: _, ...sent } = await server.next('submit')
      assert.equal(reference, id)
      assert.deepEqual(sent, {
        ...{ total: 1, part: 1, registered: 1, service: 'YIHAO', source: '10690001', phone: '19900000001' },
        ...{ text: short.text, text_id: null },
      })
    })

    it('sends a long text in numbered parts that never cut a character, a receipt for the first', async () => {
      const { reference } = await make().send(phone, long)
      const parts = [await server.next('submit'), await server.next('submit'), await server.next('submit')]
      parts.sort((one, other) => Number(one['part']) - Number(other['part']))
      assert.equal(parts.map((part) => part['text']).join(''), long.text)
      assert.deepEqual(
        parts.map((part) => [part['total'], part['registered']]),
        [
          [3, 1],
          [3, 0],
          [3, 0],
        ],
      )
      assert.equal(reference, parts[0]?.['id'])
    })

    it('asks for no receipt of a notice', async () => {
      await make().send(phone, notice)
      assert.equal((await server.next('submit'))['registered'], 0)
    })

    it('uses one line for many texts at once, never more of them unanswered than the window', async () => {
      await server.tell({ mode: 'slow' })
      const gateway = make({}, { window: 4 })
      const started = performance.now()
      const sent = await Promise.all(Array.from({ length: 12 }, () => gateway.send(phone, short, 5_000)))
      assert.equal(new Set(sent.map(({ reference }) => reference)).size, 12)
      await server.tell({})
      assert.equal(server.happened.filter(({ event }) => event === 'connect').length, 1)
      // Three windows of four, each answered after 0.4 s.
      assert.ok(performance.now() - started >= 1_150)
    })

    it('takes reports, with numbers of either length, once they are on record, and answers them', async () => {
      const gateway = make()
      const { reference } = await gateway.send(phone, short)
      let release = (): void => undefined
      onReceipt = () => new Promise((done) => (release = done))
      await server.tell({ report: { id: reference, stat: 'DELIVRD', number: 21 } })
      await gateway.send(phone, short)
      await server.tell({})
      assert.ok(!server.happened.some(({ event }) => event === 'answer'), 'not before')
      release()
      const answer = await server.next('answer')
      assert.equal(answer['to'], 5)
      assert.equal(String(answer['body']).length, version === '2.0' ? 18 : 24)
      assert.deepEqual(receipts, [{ gateway: 'cmpp', reference, delivered: true }])
      onReceipt = async () => undefined
      await server.tell({ report: { id: reference, stat: 'MA:0001', number: 32 } })
      await server.next('answer')
      assert.deepEqual(receipts.at(-1), { gateway: 'cmpp', reference, delivered: false, reason: 'code MA:0001' })
      await server.tell({ report: { id: reference, stat: 'ACCEPTD' } })
      await server.next('answer')
      assert.equal(receipts.length, 2, 'on its way is no end')
    })

    it('leaves a report without answer that could not be put on record, and goes on', async () => {
      const gateway = make()
      const { reference } = await gateway.send(phone, short)
      onReceipt = () => Promise.reject(new Error('the store is full'))
      await server.tell({ report: { id: reference, stat: 'DELIVRD' } })
      await gateway.send(phone, short)
      await server.tell({})
      assert.ok(!server.happened.some(({ event }) => event === 'answer'))
      assert.equal(faults.length, 1)
    })

    it('answers what citizens write and tests of the line, and takes neither for a receipt', async () => {
      await make().send(phone, short)
      await server.tell({ write: '退订' })
      assert.equal((await server.next('answer'))['to'], 5)
      await server.tell({ test: true })
      const answer = await server.next('answer')
      assert.deepEqual([answer['to'], answer['body']], [8, '00'])
      assert.deepEqual(receipts, [])
    })

    it('tests the line itself, and dials anew when nobody answers', async () => {
      await make({}, { heartbeatMs: 40, patienceMs: 120 }).send(phone, short)
      await server.next('test')
      await server.tell({ mode: 'deaf' })
      await server.next('end')
      await server.tell({ mode: 'right' })
      await server.next('connect')
      await server.next('connect')
    })

    it('dials anew when the gateway hangs up or says farewell, by itself', async () => {
      await make().send(phone, short)
      await server.next('connect')
      await server.tell({ 'hang-up': true })
      await server.next('connect')
      await server.tell({ terminate: true })
      assert.equal((await server.next('answer'))['to'], 2)
      await server.next('connect')
    })

    it('says farewell when it is closed, and dials no more', async () => {
      const gateway = make()
      await gateway.send(phone, short)
      await gateway.close?.()
      await server.next('terminate')
      await fails(gateway.send(phone, short), /connection ended/)
    })

    it('fails at a gateway that does not let us in or does not know the secret, unless told to trust it', async () => {
      await server.tell({ mode: 'refuse' })
      await fails(make().send(phone, short), /login refused, status 3/)
      await server.tell({ mode: 'right' })
      await fails(make({ secret: 'another' }).send(phone, short), /login refused, status 3/)
      await fails(make({ account: '900002' }).send(phone, short), /login refused, status 2/)
      await server.tell({ mode: 'forged' })
      await fails(make().send(phone, short), /does not know the secret/)
      await server.tell({})
      assert.ok(!server.happened.some(({ event }) => event === 'submit'), 'no code went there')
      await make({ checkGateway: false }).send(phone, short)
    })

    for (const [mode, detail] of [
      ['mute', /timeout/],
      ['half', /timeout/],
      ['garbage', /connection ended/],
      ['foreign', /connection ended/],
      ['result-8', /^result 8$/],
    ] as const)
      it(`fails in time where the gateway is ${mode}, and works when it is well again`, async () => {
        const gateway = make()
        await gateway.send(phone, short)
        await server.tell({ mode })
        const started = performance.now()
        await fails(gateway.send(phone, short, 300), detail)
        assert.ok(performance.now() - started < 1_000)
        await server.tell({ mode: 'right' })
        if (mode === 'half') await server.tell({ 'hang-up': true })
        const until = performance.now() + 5_000
        for (;;) {
          const sent = await gateway.send(phone, short).catch(() => undefined)
          if (sent) return
          assert.ok(performance.now() < until, 'it is not back')
        }
      })

    it('fails in time where nobody answers the login, and where nothing listens', async () => {
      await server.tell({ mode: 'silent' })
      const started = performance.now()
      await fails(make().send(phone, short, 400), /timeout/)
      await fails(make({}, { port: 9 }).send(phone, short, 400), /^connection/)
      assert.ok(performance.now() - started < 1_500)
    })

    it('sends nothing any more for who has gone on while the line was made', async () => {
      await server.tell({ mode: 'late' })
      const gateway = make()
      await fails(gateway.send(phone, short, 50), /connection timeout/)
      await gateway.send(phone, short)
      await server.next('submit')
      await server.tell({})
      assert.equal(server.happened.filter(({ event }) => event === 'submit').length, 1)
    })

    it('tells a number that is refused from a gateway that fails', async () => {
      await server.tell({ mode: 'result-13' })
      await assert.rejects(make().send(phone, short), PeerRefusal)
    })

    it('hangs up on a report that is none', async () => {
      await make().send(phone, short)
      await server.tell({ raw: '0000001000000005000000070badf00d' })
      await server.next('end')
      assert.ok(faults[0] instanceof PeerFailure)
      assert.deepEqual(receipts, [])
    })
  })
}
