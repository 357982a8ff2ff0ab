/** A back end that lies, dawdles or falls over proves nothing, and no more than the settings declare. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAppError } from '#src/errors.ts'
import { answerSignature } from '#src/peers/signed-http.ts'
import { createOwnVerifier } from '#src/verifiers/own/index.ts'
import type { Evidence, Verifier } from '#src/verifiers/verifier.ts'
import { cardHolder, startLiar, type Liar, type Question } from '../../support/own-service.ts'
import { claimAt, declaration, macs } from '../../support/own-verifiers.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

const now = 1_800_000_000_000
const label = { zh: '证号', en: 'Card number' }
const fields = [{ name: 'card', label, kind: 'digits' }]
const typed = { card: '69000001' }

const begun = ({ challenge }: Question, over: object = {}) => ({
  challenge,
  show: { fields },
  keep: { row: 'r' },
  expiresAt: now + 60_000,
  ...over,
})
const proven = ({ challenge, now: at }: Question, over: object = {}) => ({
  challenge,
  ok: true,
  evidence: { verifier: 'staff-card', amr: ['pin'], level: 2, at, subject: cardHolder, ...over },
})

describe("a service of a city's own that lies", () => {
  const directory = temporaryDirectories()
  const key = randomBytes(32)
  let keyFile: string
  let liar: Liar
  before(async () => {
    keyFile = join(directory(), 'own.key')
    writeFileSync(keyFile, key.toString('base64url'), { mode: 0o600 })
    liar = await startLiar(key)
  })
  after(() => liar.close())
  beforeEach(() => {
    liar.says = (what, question) => (what === 'begin' ? begun(question) : proven(question))
    liar.alter = () => ({})
    liar.status = 200
    liar.questions.length = 0
  })

  const verifierOf = (over: object = {}): Verifier => {
    const breaker = { failures: 1000, pause: 30 }
    const settings = declaration({ kind: 'http', url: liar.url, keyFile, timeout: 2, breaker, ...over })
    return createOwnVerifier('staff-card', settings, { macs, modules: new Map() })
  }
  const finished = async (verifier: Verifier, input: unknown = undefined, answer: unknown = typed) => {
    const { keep } = await verifier.begin(claimAt(now), input)
    return verifier.finish(claimAt(now + 1_000), keep, answer)
  }
  const isFault = (why: RegExp) => (error: unknown) => {
    assert.ok(isAppError(error, 'verifier_unavailable'), String(error))
    assert.match(error.detail ?? '', why)
    for (const personal of Object.values(cardHolder).slice(1)) assert.ok(!error.detail?.includes(personal))
    return true
  }

  it('is believed where it says the truth', async () => {
    const outcome = await finished(verifierOf())
    assert.ok(outcome.ok)
    assert.deepEqual(outcome.evidence.subject, cardHolder)
    assert.equal(outcome.evidence.level, 2)
  })

  it('learns neither the attempt nor who asks, and the same challenge at both questions', async () => {
    await finished(verifierOf())
    const [first, second] = liar.questions
    assert.deepEqual(Object.keys(first ?? {}).sort(), [
      ...['challenge', 'channel', 'largeType', 'locale', 'now', 'purpose', 'verifier'],
    ])
    assert.equal(first?.challenge, second?.challenge)
    assert.deepEqual([second?.['keep'], second?.['answer']], [{ row: 'r' }, typed])
    assert.ok(!JSON.stringify(liar.questions).includes('attempt-1'))
  })

  const evidence: readonly (readonly [string, object, RegExp])[] = [
    ['another verifier', { verifier: 'passkey' }, /said what it may not/],
    ['level 4', { level: 4 }, /malformed/],
    ['a level above its cap', { level: 3 }, /above its cap/],
    ['no level there is', { level: 2.5 }, /malformed/],
    ['another method', { amr: ['pin', 'hwk'] }, /said what it may not/],
    ['no method', { amr: [] }, /malformed/],
    ['a time to come', { at: now + 60_000 }, /said what it may not/],
    ['a time before the challenge', { at: now - 1 }, /before the challenge/],
    ['a person by his id', { subject: { person: 'p-1' } }, /malformed/],
    ['a phone, which it may not', { subject: { phone: '+8619900000001' } }, /proves a phone/],
    ['a code, which it may not', { subject: { issuer: 'own:staff-card', code: 'c' } }, /proves a code/],
    ['no number there is', { subject: { ...cardHolder, number: '690101199203051011' } }, /no document/],
    ['no name there is', { subject: { ...cardHolder, name: '<b>' } }, /no document/],
    ['two subjects at once', { subject: { ...cardHolder, phone: '+8619900000001' } }, /malformed/],
    ['more than it is asked', { risk: 'low' }, /malformed/],
    ['a reference that is a sentence', { reference: 'a card of 刘䶮' }, /malformed/],
  ]
  for (const [what, over, why] of evidence) {
    it(`proves nothing by ${what}`, async () => {
      liar.says = (asked, question) => (asked === 'begin' ? begun(question) : proven(question, over))
      await assert.rejects(finished(verifierOf()), isFault(why))
    })
  }

  it('proves by name nobody but who was asked for', async () => {
    const verifier = verifierOf({ named: true })
    const named = { ...cardHolder }
    assert.ok((await finished(verifier, named)).ok)
    assert.deepEqual(liar.questions.at(-2)?.['named'], named)
    const others: readonly Evidence['subject'][] = [
      { ...cardHolder, number: '690101198807191028', name: '王𬎆' },
      { ...cardHolder, name: '王𬎆' },
      { ...cardHolder, kind: 'passport', number: 'E12345678' },
    ]
    for (const subject of others) {
      liar.says = (what, question) => (what === 'begin' ? begun(question) : proven(question, { subject }))
      await assert.rejects(finished(verifier, named), isFault(/somebody else/))
    }
  })

  it('is known by its own issuer alone where it proves a code, and by no phone above level 2', async () => {
    const verifier = verifierOf({ proves: ['code', 'phone'] })
    const says = (subject: object) => {
      liar.says = (what, question) => (what === 'begin' ? begun(question) : proven(question, { subject }))
      return finished(verifier)
    }
    assert.ok((await says({ issuer: 'own:staff-card', code: 'c-1' })).ok)
    for (const issuer of ['staff-card', 'own:other', '', 'https://id.example.gov.cn'])
      await assert.rejects(says({ issuer, code: 'c-1' }), isFault(/another issuer/))
    const outcome = await says({ phone: '19900000001' })
    assert.ok(outcome.ok)
    assert.deepEqual(outcome.evidence.subject, { phone: '+8619900000001' })
    assert.throws(() => declaration({ kind: 'http', url: liar.url, keyFile, timeout: 2, proves: ['phone'], cap: 3 }))
  })

  it('mixes up nobody: an answer to another challenge counts for none', async () => {
    const other = { challenge: '00000000-0000-4000-8000-000000000000' }
    liar.says = (_, question) => ({ ...begun(question), ...other })
    await assert.rejects(verifierOf().begin(claimAt(now), undefined), isFault(/another challenge/))
    liar.says = (what, question) => (what === 'begin' ? begun(question) : { ...proven(question), ...other })
    await assert.rejects(finished(verifierOf()), isFault(/another challenge/))
  })

  const beginnings: readonly (readonly [string, object, RegExp])[] = [
    ['a challenge that has ended', { expiresAt: now }, /has ended/],
    ['no time', { expiresAt: 'soon' }, /malformed/],
    ['no fields', { show: {} }, /malformed/],
    [
      'nine fields',
      { show: { fields: Array.from({ length: 9 }, (_, n) => ({ ...fields[0], name: `f${n}` })) } },
      /too_big/,
    ],
    ['two fields of one name', { show: { fields: [...fields, ...fields] } }, /two fields/],
    ['a field of another kind', { show: { fields: [{ ...fields[0], kind: 'file' }] } }, /malformed/],
    ['a page of its own beside the fields', { show: { fields, html: '<script>' } }, /malformed/],
    ['a place to leave to', { leaveTo: 'https://evil.example' }, /not by redirect/],
    ['more than it is asked', { session: 's' }, /malformed/],
    ['nothing to keep', { keep: undefined }, /malformed/],
  ]
  for (const [what, over, why] of beginnings) {
    it(`begins with ${what}: no page is shown`, async () => {
      liar.says = (_, question) => begun(question, over)
      await assert.rejects(verifierOf().begin(claimAt(now), undefined), isFault(why))
    })
  }

  it('stands open no longer than the settings say', async () => {
    liar.says = (_, question) => begun(question, { expiresAt: now + 86_400_000 })
    assert.equal((await verifierOf({ validity: 120 }).begin(claimAt(now), undefined)).expiresAt, now + 120_000)
  })

  it('sends a citizen nowhere but to the sites that the settings list', async () => {
    const verifier = verifierOf({ by: 'redirect', leavesTo: ['https://cards.example.gov.cn'] })
    const returnTo = { url: 'https://id.example.gov.cn/return/staff-card', state: 'state-1' }
    const leaves = async (leaveTo: unknown) => {
      liar.says = (what, question) => (what === 'begin' ? begun(question, { show: {}, leaveTo }) : proven(question))
      return verifier.begin(claimAt(now, { returnTo }), undefined)
    }
    const { leaveTo, keep } = await leaves('https://cards.example.gov.cn/in?ticket=1')
    assert.equal(leaveTo, 'https://cards.example.gov.cn/in?ticket=1')
    assert.deepEqual(liar.questions.at(-1)?.['returnTo'], returnTo)
    assert.ok((await verifier.finish(claimAt(now), keep, { ticket: 't', empty: '' })).ok)
    assert.deepEqual(liar.questions.at(-1)?.['answer'], { ticket: 't', empty: '' })
    for (const elsewhere of [
      ...['https://evil.example/', 'https://cards.example.gov.cn.evil.example/', 'http://cards.example.gov.cn/'],
      ...['https://cards.example.gov.cn@evil.example/', 'https://cards.example.gov.cn:8443/'],
    ])
      await assert.rejects(leaves(elsewhere), isFault(/leaves to where the settings do not/))
    await assert.rejects(leaves('javascript:alert(1)'), isFault(/malformed/))
    await assert.rejects(leaves(undefined), isFault(/leaves to where/))
  })

  it('is not asked where the answer is none: other fields, too long, of another kind', async () => {
    const verifier = verifierOf()
    const { keep } = await verifier.begin(claimAt(now), undefined)
    for (const answer of [
      undefined,
      'x',
      {},
      { card: '' },
      { card: 7 },
      { card: '6'.repeat(201) },
      { pin: '1' },
      [typed],
    ])
      assert.deepEqual(await verifier.finish(claimAt(now), keep, answer), {
        ...{ ok: false, reason: 'mismatch', detail: 'malformed' },
      })
    assert.equal(liar.questions.length, 1)
    await verifier.finish(claimAt(now), keep, { ...typed, csrf: 'x', level: '4' })
    assert.deepEqual(liar.questions.at(-1)?.['answer'], typed)
  })

  it('is not asked with what was kept for another verifier, or altered', async () => {
    const verifier = verifierOf()
    const { keep } = await verifier.begin(claimAt(now), undefined)
    const { bound, mac } = keep as { bound: string; mac: string }
    const asked = liar.questions.length
    const settings = declaration({ kind: 'http', url: liar.url, keyFile, timeout: 2 })
    const other = createOwnVerifier('transit-card', settings, { macs, modules: new Map() })
    const foreign = { ok: false, reason: 'foreign' }
    assert.deepEqual(await other.finish(claimAt(now), keep, typed), foreign)
    const altered = { bound: bound.replace('"row":"r"', '"row":"s"'), mac }
    assert.notEqual(altered.bound, bound)
    assert.deepEqual(await verifier.finish(claimAt(now), altered, typed), foreign)
    assert.deepEqual(await verifier.finish(claimAt(now, { channel: 'hall' }), keep, typed), foreign)
    assert.equal(liar.questions.length, asked)
  })

  it('is not believed unsigned, altered after signing, or by the signature of an earlier answer', async () => {
    const verifier = verifierOf()
    const { keep } = await verifier.begin(claimAt(now), undefined)
    const finish = () => verifier.finish(claimAt(now), keep, typed)
    liar.alter = () => ({ signature: '' })
    await assert.rejects(finish(), isFault(/not-signed/))
    liar.says = (_, { challenge }) => ({ challenge, ok: false, reason: 'mismatch' })
    liar.alter = (body) => ({ body: body.replace('mismatch', 'rejected') })
    await assert.rejects(finish(), isFault(/not-signed/))
    let first: string | undefined
    liar.says = (_, question) => proven({ ...question, now })
    liar.alter = (_, signature) => ({ signature: (first ??= signature) })
    assert.ok((await finish()).ok)
    await assert.rejects(finish(), isFault(/not-signed/))
    liar.alter = (body, _, nonce) => ({ signature: answerSignature(randomBytes(32), 200, nonce, body) })
    await assert.rejects(finish(), isFault(/not-signed/))
  })

  it('is unavailable where it fails, refuses, answers too much or nothing', async () => {
    const verifier = verifierOf()
    const begin = () => verifier.begin(claimAt(now), undefined)
    for (const [status, why] of [
      ...([
        [503, /status 503/],
        [500, /status 500/],
        [401, /status 401/],
        [302, /unavailable|connection|status/],
      ] as const),
    ]) {
      liar.status = status
      await assert.rejects(begin(), isFault(why))
    }
    liar.status = 200
    liar.says = (_, question) => begun(question, { keep: { huge: 'x'.repeat(70_000) } })
    await assert.rejects(begin(), isFault(/too-long/))
    for (const nothing of [null, 'ok', 7, []]) {
      liar.says = () => nothing
      await assert.rejects(begin(), isFault(/another challenge/))
    }
    liar.alter = () => ({ body: '{' })
    await assert.rejects(begin(), isFault(/not-signed/))
  })

  it('is left alone after failures in a row, and says so without being asked', async () => {
    const verifier = verifierOf({ breaker: { failures: 2, pause: 30 } })
    liar.status = 503
    assert.equal(verifier.down?.(), false)
    for (let times = 0; times < 3; times += 1)
      await assert.rejects(verifier.begin(claimAt(now), undefined), (error) =>
        isAppError(error, 'verifier_unavailable'),
      )
    assert.equal(verifier.down?.(), true)
    assert.equal(liar.questions.length, 2)
  })

  it('says no, with its own reason, as often as it likes', async () => {
    liar.says = (what, question) =>
      what === 'begin'
        ? begun(question)
        : { challenge: question.challenge, ok: false, reason: 'rejected', detail: 'card-blocked' }
    assert.deepEqual(await finished(verifierOf()), { ok: false, reason: 'rejected', detail: 'card-blocked' })
    liar.says = (what, question) =>
      what === 'begin'
        ? begun(question)
        : { challenge: question.challenge, ok: false, reason: 'rejected', detail: 'The card of 刘䶮 is blocked' }
    await assert.rejects(finished(verifierOf()), isFault(/malformed/))
  })
})
