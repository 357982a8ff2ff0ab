/** Signers in a PKCS#11 token, against SoftHSM: the contract, and what happens to tokens in the field. */
import { strict as assert } from 'node:assert'
import { createPublicKey, verify } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { openDaemonRing } from '#src/crypto/daemon/ring.ts'
import { withHardwareSigners } from '#src/crypto/hardware-ring.ts'
import { loadCryptoki } from '#src/crypto/pkcs11/cryptoki.ts'
import { openPkcs11Signers, type HardwareSigners, type Pkcs11Settings } from '#src/crypto/pkcs11/signers.ts'
import type { Signer } from '#src/crypto/signer.ts'
import { isAppError } from '#src/errors.ts'
import { signerContract } from '../../contracts/signer.ts'
import { keyDaemon } from '../../support/key-daemon-process.ts'
import { needSoftHsm, pin, softHsm, softHsmModule, type SoftHsm } from '../../support/soft-hsm.ts'
import { newKeySeed, ringOf, softwareKeys } from '../../support/software-ring.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

describe('Signers in a PKCS#11 token', function () {
  this.timeout(60_000)
  const newDirectory = temporaryDirectories()
  const data = Buffer.from('data')
  let hsm: SoftHsm
  let settings: Pkcs11Settings
  let hardware: HardwareSigners

  before(async function () {
    needSoftHsm(this)
    hsm = softHsm(newDirectory(), 'yihao')
    hsm.addKey('token ES256', 'ec', '01')
    hsm.addKey('令牌 RS256', 'rsa', '02')
    hsm.addKey('another curve', 'secp384r1', '03')
    settings = {
      ...{ module: softHsmModule, token: 'yihao', pinFile: hsm.pinFile },
      signers: [
        { label: 'token ES256', alg: 'ES256' },
        { label: '令牌 RS256', alg: 'RS256' },
      ],
    }
    hardware = await openPkcs11Signers(settings)
  })
  after(() => hardware?.close())

  const signer = (alg: string): Signer => {
    const found = hardware.signers.find((one) => one.alg === alg)
    assert.ok(found)
    return found
  }
  for (const alg of ['ES256', 'RS256']) signerContract(`PKCS#11, ${alg}`, async () => signer(alg))

  it('leaves the event loop free while the token works', async () => {
    let turns = 0
    let working = true
    const turn = (): void => {
      turns += 1
      if (working) setImmediate(turn)
    }
    turn()
    await Promise.all(Array.from({ length: 100 }, () => signer('RS256').sign(data)))
    working = false
    assert.ok(turns > 100, `${turns} turns`)
  })

  describe('goes on', () => {
    it('after all its sessions were lost', async () => {
      const cryptoki = await loadCryptoki(softHsmModule)
      for (let round = 0; round < 3; round += 1) {
        // Not while it signs: SoftHSM 2.6 frees a session under the call that uses it, and the process dies.
        for (const slot of await cryptoki.slots()) await cryptoki.closeAllSessions(slot)
        const all = await Promise.all(
          Array.from({ length: 40 }, (_, n) => signer(n % 2 ? 'ES256' : 'RS256').sign(data)),
        )
        assert.equal(all.length, 40)
      }
    })

    it('once a token that was taken out is back, and refuses until then', async () => {
      const { sign } = signer('ES256')
      hsm.takeOut()
      try {
        for (let tries = 0; tries < 3; tries += 1)
          await assert.rejects(sign(data), (error) => isAppError(error, 'key_unavailable'))
      } finally {
        hsm.putBack()
      }
      assert.equal((await sign(data)).length, 64)
      const all = await Promise.all(Array.from({ length: 40 }, () => signer('RS256').sign(data)))
      assert.equal(all.length, 40)
    })
  })

  describe('does not open', () => {
    const refuses = async (over: Partial<Pkcs11Settings>, code: 'key_invalid' | 'key_unavailable', says: RegExp) =>
      assert.rejects(openPkcs11Signers({ ...settings, ...over }), (error) => {
        assert.ok(isAppError(error, code), String(error))
        assert.match(error.detail ?? '', says)
        assert.ok(!inspect(error, { depth: 5 }).includes(pin), 'the PIN stands in the error')
        return true
      })
    const named = (label: string, alg: 'ES256' | 'RS256') => ({ signers: [{ label, alg }] })

    it('with a wrong PIN', async () => {
      const pinFile = `${newDirectory()}/pin`
      writeFileSync(pinFile, '00000000', { mode: 0o600 })
      // Beside signers that are logged in, the token would not ask again.
      await hardware.close()
      await refuses({ pinFile }, 'key_invalid', /refuses the PIN \(CKR_PIN_INCORRECT/)
      hardware = await openPkcs11Signers(settings)
      await signer('ES256').sign(data)
    })

    it('with a PIN file that others can read, or that is not there', async () => {
      const pinFile = `${newDirectory()}/pin`
      await refuses({ pinFile }, 'key_invalid', /cannot be read/)
      writeFileSync(pinFile, pin)
      chmodSync(pinFile, 0o640)
      await refuses({ pinFile }, 'key_invalid', /chmod 600/)
    })

    it('a token that is not there', () => refuses({ token: 'other' }, 'key_unavailable', /no token other/))
    it('a key that is not there', () => refuses(named('nobody', 'ES256'), 'key_invalid', /0 private keys/))
    it('a key of another algorithm', () => refuses(named('令牌 RS256', 'ES256'), 'key_invalid', /not one for ES256/))
    it('a key on another curve', () => refuses(named('another curve', 'ES256'), 'key_invalid', /neither on P-256/))
    it('a label that two keys have', async () => {
      hsm.addKey('twin', 'ec', '04')
      hsm.addKey('twin', 'ec', '05')
      await refuses(named('twin', 'ES256'), 'key_invalid', /2 private keys/)
    })
    it('a module that is not there, or is none', async () => {
      await refuses({ module: '/nowhere/module.so' }, 'key_invalid', /keys\.pkcs11\.module/)
      await refuses({ module: import.meta.filename }, 'key_invalid', /keys\.pkcs11\.module/)
    })
  })

  it('are what the key daemon signs with where the settings name them', async () => {
    const daemon = keyDaemon(newDirectory(), { YIHAO_KEYS__PKCS11: JSON.stringify(settings) })
    await daemon.start()
    const ring = await openDaemonRing({ socket: daemon.socket, timeoutMs: 2000 })
    try {
      for (const alg of ['ES256', 'RS256']) {
        const { key } = ring.current().signers.find(({ key, state }) => key.alg === alg && state === 'active') ?? {}
        assert.equal(key?.kid, signer(alg).kid)
        const publicKey = createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' })
        const signature = await key.sign(data)
        assert.ok(verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature))
      }
    } finally {
      await ring.close()
      assert.equal(await daemon.end('SIGTERM'), 0)
    }
  })

  it('take the place of the software ones, which are retired and still published', async () => {
    const [first, second] = await Promise.all([newKeySeed(), newKeySeed()])
    const software = ringOf(await softwareKeys(first))
    const ring = withHardwareSigners(software, hardware.signers)
    const states = () =>
      ring.current().signers.map(({ key, state }) => [key.alg, state, hardware.signers.includes(key)])
    const expected = [
      ['ES256', 'active', true],
      ['RS256', 'active', true],
      ['SGD_SM3_SM2', 'active', false],
      ['ES256', 'retired', false],
      ['RS256', 'retired', false],
    ]
    assert.deepEqual(states(), expected)
    let told = 0
    ring.onChange(() => {
      told += 1
      assert.deepEqual(states(), expected)
    })
    const changed = await softwareKeys(second)
    software.change(changed)
    assert.equal(told, 1)
    assert.equal(ring.current().audit, changed.audit)
  })
})
