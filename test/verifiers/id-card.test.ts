import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sm2SignatureFromDer, sm3 } from 'jose'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { encodeCardText, type CardText } from '#src/identity/card-text.ts'
import { readVendorAnswer } from '#src/identity/vendor-reading.ts'
import { createIdCardVerifier } from '#src/verifiers/id-card/index.ts'
import type { Terminal } from '#src/verifiers/id-card/terminals.ts'
import type { Claim, Outcome } from '#src/verifiers/verifier.ts'
import { verifierContract } from '../contracts/verifier.ts'
import { headerOf, payloadOf, readingOf, yan, type Asked, type Device, type Lies } from '../support/card-terminal.ts'
import { deviceCertificates } from '../support/device-certificates.ts'
import { openssl } from '../support/openssl.ts'

const now = 1_800_000_000_000
const claim: Claim = {
  ...{ attempt: 'attempt-1', channel: 'kiosk', locale: 'zh', largeType: false, purpose: '社保查询', now },
}

const directory = mkdtempSync(join(tmpdir(), 'yihao-card-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const issue = deviceCertificates(directory)
const root = issue({ name: 'root', authority: true })
const regional = issue({ name: 'regional', by: root, authority: true })
const strange = issue({ name: 'strange', authority: true })
const first = issue({ name: 'first', by: regional })
const second = issue({ name: 'second', by: root })

const hall: Device = { id: 'hall-1', sam: '05.01-20200101-0000000001', chain: [first, regional] }
const library: Device = { id: 'library-1', sam: '05.01-20200101-0000000002', chain: [second] }

const row = ({ id, sam, chain }: Device, over: Partial<Terminal> = {}): Terminal => ({
  ...{ id, sam, name: { zh: '自助终端', en: 'Kiosk' }, place: '政务大厅', channel: 'kiosk', status: 'active' },
  certificate: `sm3:${sm3(chain[0].der).toString('hex')}`,
  ...over,
})

const mac = createSoftwareMac(randomBytes(32))
const agent = 'http://127.0.0.1:17080'
const verifierOver = (rows: readonly Terminal[] = [row(hall), row(library)]) =>
  createIdCardVerifier({
    terminals: { find: (id) => rows.find((one) => one.id === id) },
    ...{ roots: [root.pem], agent, macs: () => [mac] as const, validity: 60, maxAge: 90, clockSkew: 30 },
  })

const askedIn = (show: unknown): Asked => show as Asked
const holder = { kind: 'resident-id-card', number: yan.number, name: yan.name } as const

/** Signed before the contract's own, synchronous, steps: one answer for each challenge that was begun. */
verifierContract('id-card over a terminal', () => {
  const verifier = verifierOver([row(hall, { channel: 'web' })])
  let answer = ''
  return {
    verifier: {
      ...verifier,
      async begin(...given: Parameters<typeof verifier.begin>) {
        const begun = await verifier.begin(...given)
        answer = await readingOf(hall, askedIn(begun.show), given[0].now)
        return begun
      },
    },
    input: undefined,
    subject: holder,
    right: () => answer,
    wrong: ['..', 'a.b.c', '{}', JSON.stringify({ reading: 'x' })],
  }
})

describe('the id-card verifier', () => {
  const outcomeOf = async (device: Device, lies: Lies = {}, rows?: readonly Terminal[], at = now) => {
    const verifier = verifierOver(rows)
    const { show, keep } = await verifier.begin(claim, undefined)
    const reading = await readingOf(device, askedIn(show), now, lies)
    return verifier.finish({ ...claim, now: at }, keep, reading)
  }
  const why = (outcome: Outcome) => (outcome.ok ? 'accepted' : (outcome.detail ?? outcome.reason))
  const withCard = (over: Partial<CardText>) => ({ text: encodeCardText({ ...yan, ...over }) })

  it('takes a reading of either terminal for the holder at L2, and tells the trail which one it was', async () => {
    for (const device of [hall, library]) {
      const outcome = await outcomeOf(device)
      assert.ok(outcome.ok, why(outcome))
      const { reference, ...rest } = outcome.evidence
      assert.deepEqual(rest, { verifier: 'id-card', amr: ['sc'], level: 2, at: now, subject: holder })
      assert.match(reference ?? '', new RegExp(`^${device.id}/[\\da-f-]{36}$`))
    }
  })

  it('tells the page nonce, attempt and agent, and not the address of the sign-in', async () => {
    const { show } = await verifierOver().begin(claim, undefined)
    assert.deepEqual(Object.keys(show), ['nonce', 'attempt', 'agent'])
    assert.ok(!JSON.stringify(show).includes(claim.attempt))
    assert.equal(show['agent'], agent)
    assert.deepEqual(verifierOver().connects, [agent])
  })

  it('takes a reading that openssl has signed', async () => {
    const verifier = verifierOver()
    const { show, keep } = await verifier.begin(claim, undefined)
    const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const payload = payloadOf(library, askedIn(show), now, encodeCardText(yan))
    const signed = `${encoded(headerOf(library))}.${encoded(payload)}`
    const [input, output] = [join(directory, 'signed'), join(directory, 'signature')]
    writeFileSync(input, signed)
    openssl(
      ...['pkeyutl', '-sign', '-rawin', '-digest', 'sm3', '-inkey', second.key, '-in', input, '-out', output],
      ...['-pkeyopt', 'distid:1234567812345678'],
    )
    const signature = Buffer.from(sm2SignatureFromDer(readFileSync(output))).toString('base64url')
    const outcome = await verifier.finish(claim, keep, `${signed}.${signature}`)
    assert.equal(why(outcome), 'accepted')
  })

  const cards: readonly (readonly [string, Omit<CardText, 'kind'>, object])[] = [
    [
      'a residence permit',
      { ...yan, mark: 'J', number: '810000199203050019', permitNumber: 'H12345678', issues: '01' },
      { kind: 'hk-macao-taiwan-residence-permit', number: '810000199203050019', name: '刘䶮' },
    ],
    [
      'a foreigner’s card of 2023',
      {
        ...{ mark: 'Y', name: '', latinName: 'MARIA GARCIA LOPEZ', sex: '2', birthDate: '1990-04-17' },
        ...{ number: '969724199004170026', validFrom: '2024-01-01', validUntil: '2034-01-01', nationality: '724' },
      },
      { kind: 'foreigner-permanent-resident-card', number: '969724199004170026', name: 'MARIA GARCIA LOPEZ' },
    ],
    [
      'a foreigner’s card of 2017',
      {
        ...{ mark: 'I', name: '玛丽亚', latinName: 'GARCIA LOPEZ, MARIA', sex: '2', birthDate: '1990-04-17' },
        ...{ number: 'ESP690190041701', validFrom: '2018-01-01', validUntil: '2028-01-01', nationality: 'ESP' },
      },
      { kind: 'foreigner-permanent-resident-card', number: 'ESP690190041701', name: 'GARCIA LOPEZ, MARIA' },
    ],
    ['a card for life', { ...yan, validUntil: 'indefinite' }, holder],
    ['a card that ends today', { ...yan, validUntil: '2027-01-15' }, holder],
    ['a card that begins today', { ...yan, validFrom: '2027-01-15' }, holder],
    ['a card that does not say the sex', { ...yan, sex: '9' }, holder],
  ]
  for (const [what, card, subject] of cards) {
    it(`reads ${what}`, async () => {
      const outcome = await outcomeOf(hall, { text: encodeCardText(card) })
      assert.deepEqual(outcome.ok && outcome.evidence.subject, subject, why(outcome))
    })
  }

  const notYet = issue({ name: 'not-yet', by: root, from: '20280101000000Z' })
  const over = issue({ name: 'over', by: root, until: '20260101000000Z' })
  const unknown = issue({ name: 'unknown', by: strange })
  const ecdsa = issue({ name: 'ecdsa', by: root, curve: 'P-256' })
  const as = (certificate: Device['chain'][0]): Device => ({ ...hall, chain: [certificate] })
  const text = (at: number, value: string): Lies => {
    const block = encodeCardText(yan)
    block.write(value, at, 'utf16le')
    return { text: block }
  }

  const forged: readonly (readonly [string, string, () => Promise<Outcome>])[] = [
    ['of another type', 'type', () => outcomeOf(hall, { header: { typ: 'JWT' } })],
    ['with a header that says more', 'malformed', () => outcomeOf(hall, { header: { kid: '1' } })],
    ['with another key in the header', 'malformed', () => outcomeOf(hall, { header: { jwk: {} } })],
    ['without a certificate', 'malformed', () => outcomeOf(hall, { header: { x5c: [] } })],
    ['with a photo', 'malformed', () => outcomeOf(hall, { payload: { photo: 'AAAA' } })],
    ['with a fingerprint', 'malformed', () => outcomeOf(hall, { payload: { fingerprint: 'AAAA' } })],
    ['without a SAM', 'malformed', () => outcomeOf(hall, { payload: { sam: undefined } })],
    ['with a text that is no block', 'malformed', () => outcomeOf(hall, { payload: { text: 'AAAA' } })],
    ['signed by ECDSA', 'algorithm', () => outcomeOf(as(ecdsa), { alg: 'ES256' })],
    ['whose certificate is not of SM2', 'certificate-key', () => outcomeOf(as(ecdsa), { key: first })],
    ['signed by another key', 'signature', () => outcomeOf(hall, { key: second })],
    ['of a stranger’s certificate', 'certificate-chain', () => outcomeOf(as(unknown))],
    ['without the certificate between', 'certificate-chain', () => outcomeOf(as(first))],
    ['of a certificate that is over', 'certificate-validity', () => outcomeOf(as(over))],
    ['of a certificate that is not valid yet', 'certificate-validity', () => outcomeOf(as(notYet))],
    ['of a revoked terminal', 'revoked', () => outcomeOf(hall, {}, [row(hall, { status: 'revoked' })])],
    ['of a terminal nobody knows', 'terminal-unknown', () => outcomeOf(hall, {}, [row(library)])],
    [
      'of a terminal of another channel',
      'terminal-channel',
      () => outcomeOf(hall, {}, [row(hall, { channel: 'web' })]),
    ],
    ['in another terminal’s name', 'terminal-certificate', () => outcomeOf({ ...library, id: hall.id, sam: hall.sam })],
    ['from another terminal’s SAM', 'terminal-sam', () => outcomeOf(hall, { payload: { sam: library.sam } })],
    ['with another nonce', 'nonce', () => outcomeOf(hall, { payload: { nonce: 'f'.repeat(64) } })],
    ['of another attempt', 'attempt', () => outcomeOf(hall, { payload: { attempt: 'f'.repeat(64) } })],
    ['91 seconds old', 'reading-stale', () => outcomeOf(hall, { payload: { readAt: now / 1000 - 91 } })],
    ['31 seconds ahead', 'reading-future', () => outcomeOf(hall, { payload: { readAt: now / 1000 + 31 } })],
    ['that comes too late', 'expired', () => outcomeOf(hall, {}, undefined, now + 60_000)],
    [
      'of a card with a wrong check digit',
      'card-number',
      () => outcomeOf(hall, withCard({ number: '690101199203051011' })),
    ],
    ['of a card with a short number', 'card-number', () => outcomeOf(hall, withCard({ number: '690101920305101' }))],
    [
      'of a card born on another day',
      'card-birth-date-number',
      () => outcomeOf(hall, withCard({ birthDate: '1992-03-06' })),
    ],
    ['of a card of the other sex', 'card-sex-number', () => outcomeOf(hall, withCard({ sex: '2' }))],
    ['of a card that ended yesterday', 'card-expired', () => outcomeOf(hall, withCard({ validUntil: '2027-01-14' }))],
    [
      'of a card that begins tomorrow',
      'card-not-yet-valid',
      () => outcomeOf(hall, withCard({ validFrom: '2027-01-16' })),
    ],
    ['of a card without a name', 'card-name', () => outcomeOf(hall, withCard({ name: '' }))],
    ['of a card whose name is none', 'card-name', () => outcomeOf(hall, withCard({ name: '123' }))],
    ['of a card with half a character', 'card-encoding', () => outcomeOf(hall, text(0, '\ud800'))],
    ['of a card of an unknown mark', 'card-mark', () => outcomeOf(hall, text(248, 'Q'))],
    ['of a card of an unknown sex', 'card-sex', () => outcomeOf(hall, text(30, '5'))],
    ['of a card born on 30 February', 'card-birth-date', () => outcomeOf(hall, text(36, '19920230'))],
    ['of a card that is valid from no day', 'card-validity', () => outcomeOf(hall, text(188, '20200230'))],
  ]
  for (const [what, reason, outcome] of forged) {
    it(`refuses a reading ${what}, and says ${reason}`, async () => assert.equal(why(await outcome()), reason))
  }

  it('takes no vendor’s unsigned answer for a reading, whatever it says', async () => {
    const person = { partyName: yan.name, certNumber: yan.number, certType: ' ' }
    const answers = [
      { code: '0', retcode: '0x90 0x1', name: yan.name, cardno: yan.number, CardType: '0' },
      { resultFlag: 0, errorMsg: '', ...person },
      { resultFlag: 0, errorMsg: '', resultContent: person },
      { ret: 0, Certificate: { Name: yan.name, IDNumber: yan.number } },
    ]
    const verifier = verifierOver()
    const { keep } = await verifier.begin(claim, undefined)
    for (const answer of answers) {
      const text = JSON.stringify(answer)
      assert.equal(readVendorAnswer(text, now)?.number, yan.number)
      const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(text).toString('base64url')}.`
      for (const given of [text, unsigned, answer])
        assert.equal(why(await verifier.finish(claim, keep, given)), 'malformed')
    }
  })

  it('takes a clock that is 30 seconds ahead and a reading 90 seconds old', async () => {
    for (const readAt of [now / 1000 + 30, now / 1000 - 90])
      assert.equal(why(await outcomeOf(hall, { payload: { readAt } })), 'accepted')
  })

  it('refuses a reading altered anywhere, each part with its own reason', async () => {
    const verifier = verifierOver()
    const { show, keep } = await verifier.begin(claim, undefined)
    const reading = await readingOf(hall, askedIn(show), now)
    const [header = '', payload = '', signature = ''] = reading.split('.')
    const flipped = (part: string, at: number) =>
      `${part.slice(0, at)}${part[at] === 'A' ? 'B' : 'A'}${part.slice(at + 1)}`
    const finish = async (...parts: string[]) => why(await verifier.finish(claim, keep, parts.join('.')))
    assert.equal(await finish(header, flipped(payload, 20), signature), 'signature')
    assert.equal(await finish(header, payload, flipped(signature, 20)), 'signature')
    assert.equal(await finish(header, payload, signature.slice(4)), 'signature')
    assert.equal(await finish(header, payload), 'malformed')
    assert.equal(await finish(header, payload, signature, ''), 'malformed')
    const said = JSON.parse(Buffer.from(header, 'base64url').toString()) as { x5c: string[] }
    const x5c = [flipped(said.x5c[0] ?? '', 200), ...said.x5c.slice(1)]
    const exchanged = Buffer.from(JSON.stringify({ ...said, x5c })).toString('base64url')
    assert.equal(await finish(exchanged, payload, signature), 'certificate-chain')
    assert.equal(await finish(header, payload, signature), 'accepted')
  })

  it('refuses a reading that was good for another challenge, attempt or channel', async () => {
    const verifier = verifierOver()
    const { show, keep } = await verifier.begin(claim, undefined)
    const reading = await readingOf(hall, askedIn(show), now)
    assert.equal(why(await verifier.finish(claim, keep, reading)), 'accepted')
    const again = await verifier.begin(claim, undefined)
    assert.equal(why(await verifier.finish(claim, again.keep, reading)), 'nonce')
    const others = { ...claim, attempt: 'attempt-2' }
    const { keep: other } = await verifier.begin(others, undefined)
    assert.equal(why(await verifier.finish(others, other, reading)), 'nonce')
    assert.equal(why(await verifier.finish(others, keep, reading)), 'foreign')
    assert.equal(why(await verifier.finish({ ...claim, channel: 'web' }, keep, reading)), 'foreign')
  })
})
