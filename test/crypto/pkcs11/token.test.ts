/** Tokens that no SoftHSM plays: that lock themselves, hang, hold other keys than before, or fail for good. */
import { strict as assert } from 'node:assert'
import { generateKeyPairSync } from 'node:crypto'
import { CKA, CKR, CryptokiError, type Cryptoki } from '#src/crypto/pkcs11/cryptoki.ts'
import { openToken, type Token } from '#src/crypto/pkcs11/token.ts'
import { isAppError } from '#src/errors.ts'

const unavailable = (error: unknown) => isAppError(error, 'key_unavailable')
const invalid = (error: unknown) => isAppError(error, 'key_invalid')

const newPoint = (): Buffer => {
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  return Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
}

/** A token with one key on P-256 under every label, whose faults a test chooses. */
function fakeToken() {
  const shown: string[] = []
  const open = new Set<bigint>()
  let last = 0n
  const token = {
    ...{ shown, open, point: newPoint(), restarts: 0 },
    loginFails: undefined as number | undefined,
    present: true,
  }
  const cryptoki: Cryptoki = {
    initialize: async () => undefined,
    finalize: async () => undefined,
    restart: async () => {
      token.restarts += 1
      return true
    },
    slots: async () => (token.present ? [1n] : []),
    tokenLabel: async () => 'yihao',
    async openSession() {
      open.add((last += 1n))
      return last
    },
    closeSession: async (session) => void open.delete(session),
    closeAllSessions: async () => open.clear(),
    async login(_session, pin) {
      shown.push(Buffer.from(pin).toString())
      if (token.loginFails !== undefined) throw new CryptokiError(token.loginFails)
    },
    find: async () => [7n],
    async attribute(_session, _object, type) {
      if (type === CKA.EC_PARAMS) return Buffer.from('06082a8648ce3d030107', 'hex')
      return type === CKA.EC_POINT ? token.point : Buffer.from([1])
    },
    sign: async () => Buffer.alloc(64),
  }
  return { token, cryptoki }
}

const pins: Uint8Array[] = []
const settings = {
  ...{ token: 'yihao', labels: ['key'], sessions: 2, timeoutMs: 1000 },
  pin: () => {
    const pin = Buffer.from('1234')
    pins.push(pin)
    return pin
  },
}

describe('A PKCS#11 token', () => {
  const lost = () => Promise.reject(new CryptokiError(CKR.SESSION_HANDLE_INVALID))
  const works = async () => 'done'

  it('is shown a PIN that it refused once and never again', async () => {
    for (const fault of [CKR.PIN_INCORRECT, CKR.PIN_LOCKED, CKR.PIN_EXPIRED]) {
      const { token, cryptoki } = fakeToken()
      const opened = await openToken(cryptoki, settings)
      token.loginFails = fault
      await assert.rejects(opened.use('key', lost), invalid)
      for (let tries = 0; tries < 5; tries += 1) await assert.rejects(opened.use('key', works), invalid)
      assert.equal(token.shown.length, 2)
      assert.equal(token.open.size, 0, 'no session is left open')
    }
  })

  it('leaves no PIN in memory that is ours', async () => {
    pins.length = 0
    const { token, cryptoki } = fakeToken()
    await openToken(cryptoki, settings)
    assert.deepEqual(token.shown, ['1234'])
    assert.deepEqual(pins, [Buffer.alloc(4)])
  })

  it('is asked twice, over new sessions, and then given up', async () => {
    const { token, cryptoki } = fakeToken()
    const opened = await openToken(cryptoki, settings)
    const sessions: bigint[] = []
    const fails = (session: bigint) => {
      sessions.push(session)
      return lost()
    }
    await assert.rejects(opened.use('key', fails), unavailable)
    assert.equal(new Set(sessions).size, 2)
    assert.equal(await opened.use('key', works), 'done')
    assert.equal(token.open.size, 2, 'the sessions of each log-in but the last are closed')
  })

  it('whose fault is no fault of the token is asked once', async () => {
    const { cryptoki } = fakeToken()
    const opened = await openToken(cryptoki, settings)
    let asked = 0
    const bug = async () => {
      asked += 1
      throw new TypeError('a bug')
    }
    await assert.rejects(opened.use('key', bug), unavailable)
    assert.equal(asked, 1)
  })

  it('logs in once for all who wait for it', async () => {
    const { token, cryptoki } = fakeToken()
    const opened = await openToken(cryptoki, settings)
    await assert.rejects(opened.use('key', lost), unavailable)
    const before = token.shown.length
    assert.deepEqual(
      await Promise.all(Array.from({ length: 20 }, () => opened.use('key', works))),
      Array(20).fill('done'),
    )
    assert.equal(token.shown.length, before + 1)
  })

  it('never works on one session for two at once', async () => {
    const { cryptoki } = fakeToken()
    const opened = await openToken(cryptoki, settings)
    const busy = new Set<bigint>()
    const work = async (session: bigint) => {
      assert.ok(!busy.has(session))
      busy.add(session)
      await new Promise((done) => setImmediate(done))
      busy.delete(session)
    }
    await Promise.all(Array.from({ length: 50 }, () => opened.use('key', work)))
  })

  describe('that hangs', () => {
    const hangs = () => new Promise<never>(() => {})
    const opened = async (): Promise<Token> => openToken(fakeToken().cryptoki, { ...settings, timeoutMs: 50 })

    it('fails in time those whom it holds and those who wait behind them', async () => {
      const token = await opened()
      const uses = [hangs, hangs, works, works].map((work) => assert.rejects(token.use('key', work), unavailable))
      await Promise.all(uses)
    })

    it('is not finalized under the call that never came back', async () => {
      const token = await opened()
      assert.equal(await (await opened()).close(), true)
      await assert.rejects(token.use('key', hangs), unavailable)
      assert.equal(await token.close(), false)
    })
  })

  it('that holds another key under the label now signs nothing any more', async () => {
    const { token, cryptoki } = fakeToken()
    const opened = await openToken(cryptoki, settings)
    token.point = newPoint()
    await assert.rejects(opened.use('key', lost), invalid)
    await assert.rejects(opened.use('key', works), invalid)
  })

  it('that is not there is looked for anew by the module', async () => {
    const { token, cryptoki } = fakeToken()
    const opened = await openToken(cryptoki, settings)
    token.present = false
    await assert.rejects(opened.use('key', lost), unavailable)
    assert.equal(token.restarts, 1)
    token.present = true
    assert.equal(await opened.use('key', works), 'done')
  })

  it('has its point wrapped, as the standard says, or bare, as some do', async () => {
    const { token, cryptoki } = fakeToken()
    const bare = (await openToken(cryptoki, settings)).publicMembers('key')
    token.point = Buffer.concat([Buffer.from([0x04, 65]), token.point])
    assert.deepEqual((await openToken(cryptoki, settings)).publicMembers('key'), bare)
    token.point = token.point.subarray(0, 60)
    await assert.rejects(openToken(cryptoki, settings), invalid)
  })
})
