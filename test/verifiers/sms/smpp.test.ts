/** SMPP 3.4 against the server side of the npm package `smpp`, which knows nothing of our client. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type AddressInfo, type Server } from 'node:net'
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls'
import smpp, { type PDU, type Session } from 'smpp'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import type { Receipt, SmsGateway } from '#src/verifiers/sms/gateway.ts'
import { createSmppGateway, type SmppAccount } from '#src/verifiers/sms/smpp/gateway.ts'
import { codeText, noticeText } from '#src/verifiers/sms/texts.ts'
import { certificates } from '../../support/certificates.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

const phone = '+8619900000001'
const city = { zh: '示例市', en: 'Example City' }
const long = codeText({ code: '012345', minutes: 5, claim: { locale: 'zh', purpose: '社保𠮷'.repeat(24) }, city })
const short = { ...long, text: '【示例市一号】验证码012345，5分钟内有效。' }
const notice = noticeText({ event: 'tried', at: 1_800_000_000_000, locale: 'zh', city, hotline: '12345' })

describe('the gateway over SMPP', () => {
  const newDirectory = temporaryDirectories()
  let server: Server
  let sessions: Session[]
  let submitted: PDU[]
  let receipts: Receipt[]
  let open: SmsGateway[]
  /** How the centre answers a submit_sm. */
  let onSubmit: (session: Session, pdu: PDU) => void
  const accept = (session: Session, pdu: PDU) => session.send(pdu.response({ message_id: `m-${submitted.length}` }))

  beforeEach(async () => {
    ;[sessions, submitted, receipts, open, onSubmit] = [[], [], [], [], accept]
    server = smpp.createServer((session) => {
      sessions.push(session)
      session.on('error', () => undefined)
      session.on('bind_transceiver', (pdu: PDU) => {
        const known = pdu.system_id === 'yihao' && pdu.password === 'secret'
        session.send(pdu.response(known ? { system_id: 'centre' } : { command_status: 0x0e }))
      })
      session.on('submit_sm', (pdu: PDU) => {
        submitted.push(pdu)
        onSubmit(session, pdu)
      })
      session.on('unbind', (pdu: PDU) => {
        server.emit('farewell')
        session.send(pdu.response())
        session.close()
      })
      session.on('enquire_link', (pdu: PDU) => session.send(pdu.response()))
      server.emit('dialled')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(async () => {
    await Promise.all(open.map((gateway) => gateway.close?.()))
    for (const session of sessions) session.destroy()
    server.close()
  })

  const make = (over: Partial<SmppAccount> = {}, place: object = {}): SmsGateway => {
    const { port } = server.address() as AddressInfo
    const gateway = createSmppGateway({
      ...{ name: 'smpp', systemId: 'yihao', password: 'secret', systemType: '', timeoutMs: 2_000 },
      place: { host: '127.0.0.1', port, tls: false, window: 16, patienceMs: 500, ...place },
      source: { ton: 5, npi: 0, number: 'YIHAO' },
      onReceipt: async (receipt) => void receipts.push(receipt),
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
  const answered = (ask: (done: (answer: PDU) => void) => void) => new Promise<PDU>(ask)
  const receipt = (fields: object) =>
    answered((done) => sessions.at(-1)?.deliver_sm({ esm_class: 4, source_addr: '19900000001', ...fields }, done))

  it('binds and sends a short text in UCS-2, the reference being the centre’s', async () => {
    assert.deepEqual(await make().send(phone, short), { reference: 'm-1' })
    const [pdu] = submitted
    assert.equal(pdu?.short_message.message, short.text)
    assert.deepEqual(
      [pdu?.destination_addr, pdu?.dest_addr_ton, pdu?.source_addr, pdu?.data_coding, pdu?.registered_delivery],
      ['8619900000001', 1, 'YIHAO', 8, 1],
    )
  })

  it('sends a long text in numbered parts, a receipt for the first, none for a notice', async () => {
    const { reference } = await make().send(phone, long)
    assert.equal(submitted.map((pdu) => pdu.short_message.message).join(''), long.text)
    assert.deepEqual(
      submitted.map((pdu) => [pdu.esm_class & 0x40, pdu.registered_delivery]),
      [
        [0x40, 1],
        [0x40, 0],
        [0x40, 0],
      ],
    )
    assert.equal(reference, 'm-1')
    await make().send(phone, notice)
    assert.ok(submitted.slice(3).every((pdu) => pdu.registered_delivery === 0))
  })

  it('takes receipts, by the centre’s own id where it writes another into the text, and answers them', async () => {
    const gateway = make()
    await gateway.send(phone, short)
    const text = (stat: string) =>
      `id:0000000001 sub:001 dlvrd:001 submit date:2701 done date:2701 stat:${stat} err:000`
    await receipt({ short_message: text('DELIVRD') })
    await receipt({ short_message: text('UNDELIV'), receipted_message_id: 'm-1' })
    await receipt({ short_message: text('ENROUTE') })
    assert.deepEqual(receipts, [
      { gateway: 'smpp', reference: '0000000001', delivered: true },
      { gateway: 'smpp', reference: 'm-1', delivered: false, reason: 'code UNDELIV' },
    ])
  })

  it('answers what a citizen writes and tests of the line, and refuses what it does not know', async () => {
    await make().send(phone, short)
    await receipt({ esm_class: 0, short_message: '退订' })
    const [session] = sessions
    assert.equal((await answered((done) => session?.enquire_link({}, done))).command, 'enquire_link_resp')
    assert.deepEqual(receipts, [])
  })

  it('dials anew by itself when the centre hangs up or says farewell', async () => {
    await make().send(phone, short)
    let dialled = once(server, 'dialled')
    sessions[0]?.destroy()
    await dialled
    dialled = once(server, 'dialled')
    const [, second] = sessions
    await new Promise((done) => second?.once('bind_transceiver', done))
    assert.equal((await answered((done) => second?.unbind({}, done))).command, 'unbind_resp')
    await dialled
  })

  it('says farewell when it is closed', async () => {
    const gateway = make()
    await gateway.send(phone, short)
    const farewell = once(server, 'farewell')
    await gateway.close?.()
    await farewell
    await fails(gateway.send(phone, short), /connection ended/)
  })

  it('fails where it is not let in, and with a field too long for the protocol, and sends no code', async () => {
    await fails(make({ password: 'wrong' }).send(phone, short), /login refused, status 14/)
    await fails(make({ password: 'longer than eight' }).send(phone, short), /does not fit/)
    assert.deepEqual(submitted, [])
  })

  for (const [way, answer, detail] of [
    ['is mute', () => undefined, /timeout/],
    ['refuses', (session: Session, pdu: PDU) => session.send(pdu.response({ command_status: 0x58 })), /status 88/],
    ['names no id', (session: Session, pdu: PDU) => session.send(pdu.response({ message_id: '' })), /malformed/],
    ['hangs up', (session: Session) => session.destroy(), /connection ended/],
    ['sends garbage', (session: Session) => session.socket.write(Buffer.alloc(16, 0xff)), /connection ended/],
    ['sends half an answer', (session: Session) => session.socket.write(Buffer.from([0, 0, 0, 20])), /timeout/],
    [
      'does not know the command',
      ({ socket }: Session, { sequence_number: number }: PDU) => {
        const nack = Buffer.from('00000010800000000000000300000000', 'hex')
        nack.writeUInt32BE(number, 12)
        socket.write(nack)
      },
      /status 3/,
    ],
  ] as const)
    it(`fails in time where the centre ${way}, and works when it is well again`, async () => {
      const gateway = make()
      await gateway.send(phone, short)
      onSubmit = answer
      const started = performance.now()
      await fails(gateway.send(phone, short, 300), detail)
      assert.ok(performance.now() - started < 1_000)
      onSubmit = accept
      if (way.includes('half')) sessions[0]?.destroy()
      const until = performance.now() + 5_000
      while (!(await gateway.send(phone, short).catch(() => undefined))) assert.ok(performance.now() < until)
    })

  it('tells a number that is refused from a centre that fails', async () => {
    onSubmit = (session, pdu) => session.send(pdu.response({ command_status: 0x0b }))
    await assert.rejects(make().send(phone, short), PeerRefusal)
  })

  it('speaks TLS where told to, to a certificate that it trusts for this host, and sends nothing otherwise', async () => {
    const { port } = server.address() as AddressInfo
    const issue = certificates(newDirectory())
    const ca = issue({ kind: 'rsa' })
    const leaf = issue({
      kind: 'rsa',
      by: ca,
      extensions: ['basicConstraints=CA:FALSE', 'subjectAltName=IP:127.0.0.1'],
    })
    const other = issue({
      kind: 'rsa',
      by: ca,
      extensions: ['basicConstraints=CA:FALSE', 'subjectAltName=IP:127.0.0.2'],
    })
    const trusted = getCACertificates('default')
    const fronts = [leaf, other].map(({ pem, key }) =>
      createTlsServer({ cert: pem, key: readFileSync(key) }, (socket) => {
        const inner = connect(port, '127.0.0.1')
        socket.pipe(inner).pipe(socket)
        for (const end of [socket, inner]) end.on('error', () => inner.destroy())
      }).on('tlsClientError', () => undefined),
    )
    try {
      const [right, wrong] = await Promise.all(
        fronts.map(async (front) => {
          await once(front.listen(0, '127.0.0.1'), 'listening')
          return { port: (front.address() as AddressInfo).port, tls: true }
        }),
      )
      await fails(make({}, right).send(phone, short), /^connection/)
      setDefaultCACertificates([...trusted, ca.pem])
      await fails(make({}, wrong).send(phone, short), /^connection/)
      await fails(make({}, { tls: true, patienceMs: 100 }).send(phone, short), /^connection/)
      assert.equal(submitted.length, 0)
      await make({}, right).send(phone, short)
      assert.equal(submitted.length, 1)
    } finally {
      setDefaultCACertificates(trusted)
      for (const front of fronts) front.close()
    }
  })

  it('tests the line itself', async () => {
    await make({}, { heartbeatMs: 30 }).send(phone, short)
    await once(sessions[0] as Session, 'enquire_link')
  })
})
