/** A card and a face at a terminal: what the outcome must say to count, and that it never counts for more than the card. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sm3 } from 'jose'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { publicSentence } from '#src/errors.ts'
import { loadWords } from '#src/http/words.ts'
import { encodeCardText, type CardText } from '#src/identity/card-text.ts'
import { createCardFaceVerifier, type FaceSettings } from '#src/verifiers/id-card/card-face.ts'
import { createIdCardVerifier } from '#src/verifiers/id-card/index.ts'
import type { Claim, Outcome } from '#src/verifiers/verifier.ts'
import { verifierContract } from '../contracts/verifier.ts'
import { readingOf, yan, type Device, type Lies } from '../support/card-terminal.ts'
import { deviceCertificates } from '../support/device-certificates.ts'
import { faceModel, faceOf, type AskedFace } from '../support/face-reading.ts'

const now = 1_800_000_000_000
const claim: Claim = {
  ...{ attempt: 'attempt-1', channel: 'kiosk', locale: 'zh', largeType: false, purpose: '社保查询', now },
}

const directory = mkdtempSync(join(tmpdir(), 'yihao-face-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const issue = deviceCertificates(directory)
const root = issue({ name: 'root', authority: true })
const hall: Device = { id: 'hall-1', sam: '05.01-20200101-0000000001', chain: [issue({ name: 'hall', by: root })] }

const mac = createSoftwareMac(randomBytes(32))
const partsOver = (status: 'active' | 'revoked' = 'active', channel = 'kiosk') => {
  const name = { zh: '自助终端', en: 'Kiosk' }
  const certificate = `sm3:${sm3(hall.chain[0].der).toString('hex')}`
  const row = { id: hall.id, sam: hall.sam, name, place: '政务大厅', channel, status, certificate }
  return {
    terminals: { find: (id: string) => (id === hall.id ? row : undefined) },
    ...{ roots: [root.pem], agent: 'http://127.0.0.1:17080', macs: () => [mac] as const },
    ...{ validity: 60, maxAge: 90, clockSkew: 30 },
  }
}
const settings: FaceSettings = {
  ...{ receiver: { zh: '示例市政务大厅', en: 'Example City hall' }, version: '1', seconds: 60 },
  ...{ models: [faceModel], threshold: 0.45 },
}
const verifierOver = (face: Partial<FaceSettings> = {}, parts = partsOver()) =>
  createCardFaceVerifier({ ...parts, face: { ...settings, ...face } })

const asked = (show: unknown) => show as AskedFace
const holder = { kind: 'resident-id-card', number: yan.number, name: yan.name } as const
const why = (outcome: Outcome) => (outcome.ok ? 'accepted' : (outcome.detail ?? outcome.reason))

/** Signed before the contract's own, synchronous, steps: one answer for each challenge that was begun. */
verifierContract('card-face over a terminal', () => {
  const verifier = verifierOver({}, partsOver('active', 'web'))
  let answer = ''
  return {
    verifier: {
      ...verifier,
      async begin(...given: Parameters<typeof verifier.begin>) {
        const begun = await verifier.begin(...given)
        const face = faceOf(asked(begun.show))
        answer = await readingOf(hall, asked(begun.show), given[0].now, { payload: { face } })
        return begun
      },
    },
    input: undefined,
    subject: holder,
    right: () => answer,
    wrong: ['..', 'a.b.c', '{}', JSON.stringify({ reading: 'x' })],
  }
})

describe('the card-face verifier', () => {
  /** @param face what is said of it, given what was asked; undefined: nothing */
  const outcomeOf = async (
    face: (right: ReturnType<typeof faceOf>) => unknown,
    { verifier = verifierOver(), lies = {} as Lies, at = now } = {},
  ) => {
    const { show, keep } = await verifier.begin(claim, undefined)
    const payload = { face: face(faceOf(asked(show))), ...lies.payload }
    return verifier.finish({ ...claim, now: at }, keep, await readingOf(hall, asked(show), now, { ...lies, payload }))
  }
  const right = (face: object) => face
  const withCard = (over: Partial<CardText>): { lies: Lies } => ({
    lies: { text: encodeCardText({ ...yan, ...over }) },
  })

  it('takes a match for the holder of the card, by the card’s own method and at its level', async () => {
    const outcome = await outcomeOf(right)
    assert.ok(outcome.ok, why(outcome))
    const { reference, ...rest } = outcome.evidence
    assert.deepEqual(rest, { verifier: 'card-face', amr: ['sc'], level: 2, at: now, subject: holder })
    assert.match(reference ?? '', /^hall-1\/[\da-f-]{36}$/)
  })

  it('reaches level 2 and says nothing of a face to applications, whatever the settings are', async () => {
    for (const face of [{ threshold: 0.01, seconds: 120 }, { level: 3, cap: 3, amr: ['face'] } as object]) {
      const verifier = verifierOver(face)
      assert.deepEqual([verifier.cap, verifier.amr], [2, ['sc']])
      const outcome = await outcomeOf((said) => ({ ...said, threshold: 0.01 }), { verifier })
      assert.deepEqual(outcome.ok && [outcome.evidence.level, outcome.evidence.amr], [2, ['sc']])
    }
  })

  it('looks at faces, asks consent in the name of who runs the terminal, and frames the agent alone', () => {
    const { by, facial, consent, frames, connects, named } = verifierOver()
    assert.deepEqual([by, facial, named], ['device', true, undefined])
    assert.deepEqual(consent, { receiver: settings.receiver, version: '1', stays: true })
    assert.deepEqual([frames, connects], [['http://127.0.0.1:17080'], ['http://127.0.0.1:17080']])
    assert.equal(createIdCardVerifier(partsOver()).frames, undefined)
  })

  it('asks for two different movements, in every order in the long run, and shows the page nothing besides', async () => {
    const seen = new Set<string>()
    for (let round = 0; round < 200; round++) {
      const { show, keep } = await verifierOver().begin(claim, undefined)
      assert.deepEqual(Object.keys(show), ['nonce', 'attempt', 'agent', 'actions'])
      assert.deepEqual(show['actions'], keep['actions'])
      seen.add(asked(show).actions.join(' '))
    }
    const every = ['left mouth', 'left right', 'mouth left', 'mouth right', 'right left', 'right mouth']
    assert.deepEqual([...seen].sort(), every)
  })

  const refusals: readonly (readonly [
    string,
    string,
    string | undefined,
    (face: ReturnType<typeof faceOf>) => unknown,
  ])[] = [
    ['without a face', 'face-missing', 'face_terminal', () => undefined],
    ['by another model', 'face-model', 'face_terminal', (face) => ({ ...face, model: 'face-api-0' })],
    ['by a looser threshold', 'face-threshold', 'face_terminal', (face) => ({ ...face, threshold: 0.46 })],
    [
      'of other movements',
      'face-actions',
      undefined,
      ({ actions, ...face }) => ({ ...face, actions: [...actions].reverse() }),
    ],
    ['of one movement', 'face-actions', undefined, ({ actions, ...face }) => ({ ...face, actions: actions.slice(1) })],
    ['of no movement', 'face-actions', undefined, (face) => ({ ...face, actions: [] })],
    ['of somebody else', 'face-mismatch', 'face_mismatch', (face) => ({ ...face, outcome: 'mismatch' })],
    ['of nobody', 'face-none', 'face_none', (face) => ({ ...face, outcome: 'no-face' })],
    ['of who did not move', 'face-actions-missed', 'face_actions-missed', (face) => ({ ...face, outcome: 'actions' })],
    ['with a distance', 'malformed', undefined, (face) => ({ ...face, distance: 0.2 })],
    ['with a picture', 'malformed', undefined, (face) => ({ ...face, picture: 'AAAA' })],
    ['with an outcome of its own', 'malformed', undefined, (face) => ({ ...face, outcome: 'MATCH' })],
    ['with an unknown movement', 'malformed', undefined, (face) => ({ ...face, actions: ['left', 'nod'] })],
    ['with a threshold that is a text', 'malformed', undefined, (face) => ({ ...face, threshold: '0.1' })],
    ['with a threshold below nothing', 'malformed', undefined, (face) => ({ ...face, threshold: -1 })],
    ['whose face is a word', 'malformed', undefined, () => 'match'],
    ['whose face is null', 'malformed', undefined, () => null],
  ]
  for (const [what, reason, say, face] of refusals)
    it(`refuses a reading ${what}, and says ${reason}`, async () => {
      const outcome = await outcomeOf(face)
      assert.equal(why(outcome), reason)
      assert.equal(!outcome.ok && outcome.say, say)
    })

  for (const member of ['model', 'threshold', 'actions', 'outcome'])
    it(`refuses a reading whose face says no ${member}`, async () => {
      assert.equal(why(await outcomeOf((face) => ({ ...face, [member]: undefined }))), 'malformed')
    })

  it('says each of its sentences in both languages, kindly and without a number', async () => {
    const words = await loadWords('views/locales')
    for (const code of ['face_terminal', 'face_mismatch', 'face_none', 'face_actions-missed', 'proof_under-14'])
      for (const locale of ['zh', 'en'] as const) {
        const sentence = publicSentence(code, locale) ?? words(locale)(`fault.${code}`)
        assert.notEqual(sentence, `fault.${code}`)
        if (code.startsWith('face_')) assert.match(sentence, /换一种方式|another way/, code)
        if (code !== 'proof_under-14') assert.doesNotMatch(sentence, /\d/, code)
      }
  })

  it('takes a stricter threshold, and any model that is listed', async () => {
    assert.equal(why(await outcomeOf((face) => ({ ...face, threshold: 0.3 }))), 'accepted')
    const verifier = verifierOver({ models: ['other-1', faceModel] })
    assert.equal(why(await outcomeOf((face) => ({ ...face, model: 'other-1' }), { verifier })), 'accepted')
  })

  it('refuses the card of who is not 14 yet, whatever the camera saw, and takes it on the birthday', async () => {
    // 2027-01-15 in China.
    const child = { birthDate: '2013-01-16', number: '690101201301160013' }
    const teenager = { birthDate: '2013-01-15', number: '690101201301150017' }
    const checked = (number: string) => {
      const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
      const sum = weights.reduce((total, weight, at) => total + weight * Number(number[at]), 0)
      return number.slice(0, 17) + '10X98765432'[sum % 11]
    }
    for (const outcome of ['match', 'mismatch', 'no-face']) {
      const card = withCard({ ...child, number: checked(child.number) })
      const refused = await outcomeOf((face) => ({ ...face, outcome }), card)
      assert.deepEqual(refused, { ok: false, reason: 'rejected', detail: 'under-14', say: 'proof_under-14' })
    }
    assert.equal(why(await outcomeOf(right, withCard({ ...teenager, number: checked(teenager.number) }))), 'accepted')
    // A child may still show his card where no camera looks.
    const verifier = createIdCardVerifier(partsOver())
    const { show, keep } = await verifier.begin(claim, undefined)
    const text = encodeCardText({ ...yan, ...child, number: checked(child.number) })
    assert.equal(why(await verifier.finish(claim, keep, await readingOf(hall, asked(show), now, { text }))), 'accepted')
  })

  it('asks what id-card asks before: terminal, time and card', async () => {
    const revoked = verifierOver({}, partsOver('revoked'))
    assert.equal(why(await outcomeOf(right, { verifier: revoked })), 'revoked')
    assert.equal(
      why(await outcomeOf(right, { verifier: verifierOver({}, partsOver('active', 'web')) })),
      'terminal-channel',
    )
    assert.equal(why(await outcomeOf(right, withCard({ validUntil: '2027-01-14' }))), 'card-expired')
    assert.equal(why(await outcomeOf(right, { lies: { payload: { sam: 'other' } } })), 'terminal-sam')
    assert.equal(why(await outcomeOf(right, { lies: { payload: { nonce: 'f'.repeat(64) } } })), 'nonce')
    assert.equal(why(await outcomeOf(right, { lies: { payload: { attempt: 'f'.repeat(64) } } })), 'attempt')
  })

  it('waits for the camera longer than for the card alone, and no longer than that', async () => {
    assert.equal(why(await outcomeOf(right, { at: now + 119_999 })), 'accepted')
    assert.equal(why(await outcomeOf(right, { at: now + 120_000 })), 'expired')
    assert.equal(why(await outcomeOf(right, { lies: { payload: { readAt: now / 1000 - 150 } } })), 'accepted')
    assert.equal(why(await outcomeOf(right, { lies: { payload: { readAt: now / 1000 - 151 } } })), 'reading-stale')
  })

  it('refuses a reading altered in what it says of the face', async () => {
    const verifier = verifierOver()
    const { show, keep } = await verifier.begin(claim, undefined)
    const face = faceOf(asked(show), { outcome: 'mismatch' })
    const [header, payload = '', signature] = (await readingOf(hall, asked(show), now, { payload: { face } })).split(
      '.',
    )
    const text = Buffer.from(payload, 'base64url').toString().replace('mismatch', 'match')
    const better = [header, Buffer.from(text).toString('base64url'), signature].join('.')
    assert.equal(why(await verifier.finish(claim, keep, better)), 'signature')
  })

  it('refuses movements that were exchanged in what was kept', async () => {
    const verifier = verifierOver()
    const { show, keep } = await verifier.begin(claim, undefined)
    const actions = [...asked(show).actions].reverse()
    const face = faceOf({ actions })
    const reading = await readingOf(hall, asked(show), now, { payload: { face } })
    assert.equal(why(await verifier.finish(claim, { ...keep, actions }, reading)), 'nonce')
  })

  it('takes no reading that was made for id-card, nor gives one to it, in either direction', async () => {
    const card = createIdCardVerifier(partsOver())
    const both = verifierOver()
    const [plain, faced] = [await card.begin(claim, undefined), await both.begin(claim, undefined)]
    const face = faceOf(asked(faced.show))
    const ofCard = await readingOf(hall, asked(plain.show), now)
    const ofFace = await readingOf(hall, asked(faced.show), now, { payload: { face } })
    assert.equal(why(await both.finish(claim, faced.keep, ofCard)), 'nonce')
    assert.equal(why(await card.finish(claim, plain.keep, ofFace)), 'nonce')
    // Nor does what one kept count at the other.
    assert.equal(why(await card.finish(claim, faced.keep, ofFace)), 'nonce')
    assert.equal(why(await both.finish(claim, plain.keep, ofCard)), 'nonce')
    // And a camera that looked unasked spoils the card's own reading.
    const unasked = await readingOf(hall, asked(plain.show), now, { payload: { face: faceOf({ actions: [] }) } })
    assert.equal(why(await card.finish(claim, plain.keep, unasked)), 'face-unasked')
  })

  it('refuses a reading that was good for another challenge, attempt or channel', async () => {
    const verifier = verifierOver()
    const { show, keep } = await verifier.begin(claim, undefined)
    const reading = await readingOf(hall, asked(show), now, { payload: { face: faceOf(asked(show)) } })
    assert.equal(why(await verifier.finish(claim, keep, reading)), 'accepted')
    const again = await verifier.begin(claim, undefined)
    assert.equal(why(await verifier.finish(claim, again.keep, reading)), 'nonce')
    assert.equal(why(await verifier.finish({ ...claim, attempt: 'attempt-2' }, keep, reading)), 'foreign')
    assert.equal(why(await verifier.finish({ ...claim, channel: 'web' }, keep, reading)), 'foreign')
  })
})
