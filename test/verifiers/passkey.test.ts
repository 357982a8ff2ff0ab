import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { createEnrolment } from '#src/verifiers/passkey/enrolment.ts'
import { siteOf } from '#src/verifiers/passkey/answers.ts'
import { createPasskeyVerifier } from '#src/verifiers/passkey/index.ts'
import type { Passkey } from '#src/verifiers/passkey/store.ts'
import type { Claim, Outcome } from '#src/verifiers/verifier.ts'
import { passkey } from '../contracts/passkey-store.ts'
import { verifierContract } from '../contracts/verifier.ts'
import { createAuthenticator, type Authenticator, type Lies } from '../support/authenticator.ts'

const origin = 'http://localhost:3000'
const site = siteOf(origin)
const mac = createSoftwareMac(randomBytes(32))
const enrolment = createEnrolment({ site, siteName: '示例市一号', validity: 300 })
const random = () => randomBytes(32).toString('base64url')

const claim: Claim = {
  attempt: 'attempt-1',
  channel: 'web',
  locale: 'zh',
  largeType: false,
  purpose: '社保查询',
  now: 1_800_000_000_000,
}

const newDevice = (of: { syncable?: boolean; synced?: boolean } = {}) => createAuthenticator({ origin, ...of })

/** A device's passkey as it is kept after the ceremony. */
async function enrolled(device: Authenticator, over: Partial<Passkey> = {}): Promise<Passkey> {
  const challenge = random()
  const handle = random()
  const options = await enrolment.options({ challenge, handle, label: '*䶮', existing: [] })
  const verified = await enrolment.verify(challenge, device.make(options))
  assert.ok('made' in verified, JSON.stringify(verified))
  return passkey({ ...verified.made, handle, ...over })
}

interface Given {
  readonly passkeys: readonly Passkey[]
  readonly addedAt2?: 2 | 3
}

function verifierOver({ passkeys, addedAt2 = 2 }: Given) {
  const held = new Map(passkeys.map((one) => [one.id, one]))
  const copied: string[] = []
  const verifier = createPasskeyVerifier({
    ...{ site, macs: () => [mac] as const, validity: 300, addedAt2 },
    store: {
      find: async (id) => held.get(id),
      async used({ id }, { counter, synced, at }) {
        const one = held.get(id)
        if (one) held.set(id, { ...one, counter, synced, usedAt: at })
        return one !== undefined
      },
    },
    onCopied: async (person) => void copied.push(person),
  })
  return { verifier, held, copied }
}

/** Enrolled before the contract's own, synchronous, steps. */
const contractDevice = newDevice()
const contractPasskey = await enrolled(contractDevice)

verifierContract('passkey over a software authenticator', () => {
  const { verifier } = verifierOver({ passkeys: [contractPasskey] })
  contractDevice.credentials[0]!.counter = 0
  let options: unknown
  const watched = {
    ...verifier,
    async begin(...given: Parameters<typeof verifier.begin>) {
      const begun = await verifier.begin(...given)
      options = begun.show['options']
      return begun
    },
  }
  return {
    verifier: watched,
    input: undefined,
    subject: { person: contractPasskey.person },
    amr: ['hwk', 'user'],
    right: () => contractDevice.answer(options),
    wrong: [
      '{}',
      'null',
      '[]',
      '{"id":"x"}',
      JSON.stringify({ id: 'x', rawId: 'x', type: 'public-key', response: {} }),
    ],
  }
})

describe('the passkey verifier', () => {
  const ask = async (device: Authenticator, given: Given, lies: Lies = {}) => {
    const { verifier, held, copied } = verifierOver(given)
    const { show, keep } = await verifier.begin(claim, undefined)
    const outcome = await verifier.finish(claim, keep, device.answer(show['options'], lies))
    return { verifier, held, copied, outcome, show, keep }
  }
  const reasonOf = (outcome: Outcome) => (outcome.ok ? 'accepted' : (outcome.detail ?? outcome.reason))

  it('asks for any credential of ours, with the user verified, and names nobody', async () => {
    const { verifier } = verifierOver({ passkeys: [] })
    const { show } = await verifier.begin(claim, undefined)
    const given = JSON.parse(JSON.stringify(show['options'])) as Record<string, unknown>
    const { challenge, ...rest } = given
    assert.equal(Buffer.from(String(challenge), 'base64url').length, 32)
    assert.deepEqual(rest, { rpId: 'localhost', timeout: 300_000, userVerification: 'required' })
  })

  const lies: readonly [string, Lies, string][] = [
    ['from another origin', { origin: 'http://evil.example' }, 'origin'],
    ['from another port of this host', { origin: 'http://localhost:3001' }, 'origin'],
    ['from a frame of another site', { crossOrigin: true }, 'origin'],
    ['for another RP ID', { rpId: 'evil.example' }, 'rp'],
    ['to another challenge', { challenge: random() }, 'challenge'],
    ['of another kind', { type: 'webauthn.create' }, 'type'],
    ['without the user verified', { userVerified: false }, 'user-verification'],
    ['with the handle of another user', { userHandle: random() }, 'user'],
    ['of a credential nobody has', { id: random() }, 'unknown'],
    ['that says it may leave its device since', { syncable: true }, 'backup-eligibility'],
    ['that says it has left the device it cannot leave', { synced: true }, 'signature'],
  ]
  for (const [what, lie, reason] of lies)
    it(`refuses an answer ${what}`, async () => {
      const device = newDevice()
      const { outcome, copied } = await ask(device, { passkeys: [await enrolled(device)] }, lie)
      assert.equal(reasonOf(outcome), reason)
      assert.deepEqual(copied, [])
    })

  it('refuses an answer that another key has signed', async () => {
    const device = newDevice()
    const other = newDevice()
    const [mine] = [await enrolled(device), await enrolled(other)]
    const signedBy = other.credentials[0]!.privateKey
    assert.equal(reasonOf((await ask(device, { passkeys: [mine] }, { signedBy })).outcome), 'signature')
  })

  it('refuses a synced passkey that says it cannot leave its device, which would raise it', async () => {
    const device = newDevice({ syncable: true, synced: true })
    const { outcome } = await ask(device, { passkeys: [await enrolled(device)] }, { syncable: false, synced: false })
    assert.equal(reasonOf(outcome), 'backup-eligibility')
  })

  it('refuses an answer in another channel', async () => {
    const device = newDevice()
    const { verifier, keep, show } = await ask(device, { passkeys: [await enrolled(device)] })
    const answer = device.answer(show['options'])
    const outcome = await verifier.finish({ ...claim, channel: 'hall' }, keep, answer)
    assert.deepEqual(outcome, { ok: false, reason: 'foreign' })
  })

  it('refuses a count that goes back or stands still, keeps the one it had, and raises the alarm', async () => {
    const device = newDevice()
    const kept = await enrolled(device, { counter: 7 })
    for (const counter of [7, 6, 0]) {
      const { outcome, copied, held } = await ask(device, { passkeys: [kept] }, { counter })
      assert.equal(reasonOf(outcome), 'counter')
      assert.deepEqual(copied, [kept.person])
      assert.equal(held.get(kept.id)?.counter, 7)
    }
    const { outcome, held } = await ask(device, { passkeys: [kept] }, { counter: 8 })
    assert.ok(outcome.ok)
    assert.equal(held.get(kept.id)?.counter, 8)
  })

  const levels: readonly [
    string,
    { syncable?: boolean; synced?: boolean },
    Given['addedAt2'],
    2 | 3,
    number,
    string,
  ][] = [
    ['on one device, added at level 3', {}, 2, 3, 3, 'hwk'],
    ['on one device, added at level 2', {}, 2, 2, 2, 'hwk'],
    ['on one device, added at level 2 where the setting trusts that', {}, 3, 2, 3, 'hwk'],
    ['synced, added at level 3', { syncable: true, synced: true }, 3, 3, 2, 'swk'],
    ['that may be synced and is not yet', { syncable: true }, 3, 3, 2, 'swk'],
  ]
  for (const [what, kind, addedAt2, addedAt, level, amr] of levels)
    it(`takes one ${what} for level ${level}`, async () => {
      const device = newDevice(kind)
      const given = { passkeys: [await enrolled(device, { addedAt })], addedAt2: addedAt2 ?? 2 }
      const { outcome } = await ask(device, given)
      assert.ok(outcome.ok)
      assert.equal(outcome.evidence.level, level)
      assert.deepEqual(outcome.evidence.amr, [amr, 'user'])
    })

  it('keeps whether it has been synced, as each use says', async () => {
    const device = newDevice({ syncable: true })
    const kept = await enrolled(device)
    for (const synced of [true, false]) {
      const { held } = await ask(device, { passkeys: [kept] }, { synced })
      assert.equal(held.get(kept.id)?.synced, synced)
    }
  })
})

describe('making a passkey', () => {
  const made = async (lies: Lies = {}, challenge = random()) => {
    const device = newDevice()
    const options = await enrolment.options({ challenge, handle: random(), label: '*䶮', existing: [] })
    return enrolment.verify(challenge, device.make(options, lies))
  }

  it('asks for a discoverable one, the user verified, no attestation, and not the same device twice', async () => {
    const [challenge, handle] = [random(), random()]
    const existing = [passkey()]
    const options = await enrolment.options({ challenge, handle, label: '*䶮', existing })
    const { rp, user, attestation, authenticatorSelection, excludeCredentials, ...rest } = options as Record<
      string,
      Record<string, unknown>
    >
    assert.deepEqual(rp, { name: '示例市一号', id: 'localhost' })
    assert.deepEqual(user, { id: handle, name: '*䶮', displayName: '*䶮' })
    assert.equal(attestation, 'none')
    assert.equal(authenticatorSelection?.['residentKey'], 'required')
    assert.equal(authenticatorSelection?.['userVerification'], 'required')
    assert.equal((excludeCredentials as unknown as { id: string }[])[0]?.id, existing[0]?.id)
    assert.equal(rest['challenge'] as unknown, challenge)
  })

  it('tells one that stays on its device from one that may leave it', async () => {
    for (const kind of [{}, { syncable: true }, { syncable: true, synced: true }]) {
      const verified = await made(kind)
      assert.ok('made' in verified)
      assert.deepEqual([verified.made.syncable, verified.made.synced], [kind.syncable ?? false, kind.synced ?? false])
    }
  })

  const lies: readonly [string, Lies, string][] = [
    ['for another origin', { origin: 'https://evil.example' }, 'origin'],
    ['in a frame of another site', { crossOrigin: true }, 'origin'],
    ['for another RP ID', { rpId: 'evil.example' }, 'rp'],
    ['to another challenge', { challenge: random() }, 'challenge'],
    ['of another kind', { type: 'webauthn.get' }, 'type'],
    ['without the user verified', { userVerified: false }, 'user-verification'],
  ]
  for (const [what, lie, wrong] of lies)
    it(`refuses one ${what}`, async () => assert.deepEqual(await made(lie), { wrong }))

  it('refuses what is no answer at all', async () => {
    for (const answer of [undefined, '', 'x', '{}', '[]', 'null', '{"id":"a","rawId":"a","type":"public-key"}'])
      assert.deepEqual(await enrolment.verify(random(), answer), { wrong: 'malformed' })
  })

  it('reads no certificate that nobody asked for, so that none of its addresses is ever visited', async () => {
    const certificate = new Map<string, Buffer | number>([
      ['alg', -7],
      ['sig', randomBytes(70)],
      ['x5c', randomBytes(300)],
    ])
    for (const format of ['packed', 'fido-u2f', 'tpm', 'apple', 'android-key', 'android-safetynet', 'new'])
      assert.deepEqual(await made({ attestation: [format, certificate] }), { wrong: 'attestation' })
  })
})
