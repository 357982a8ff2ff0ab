import assert from 'node:assert/strict'
import { constants, createPrivateKey, randomBytes, sign } from 'node:crypto'
import { sm2SignatureFromDer } from 'jose'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { objectIdentifier } from '#src/demo/certificate-authority.ts'
import type { KeyKind } from '#src/demo/certificate-keys.ts'
import { BIT_STRING, BOOLEAN, element, SEQUENCE } from '#src/jose/der.ts'
import { readCertificate } from '#src/jose/x509-certificate.ts'
import { createCertificateVerifier, type Authority } from '#src/verifiers/certificate/index.ts'
import { createListSource } from '#src/verifiers/certificate/list-source.ts'
import { createRevocation } from '#src/verifiers/certificate/revocation.ts'
import type { SubjectRule } from '#src/verifiers/certificate/subject.ts'
import { guarded } from '#src/verifiers/guard.ts'
import type { Claim, Outcome } from '#src/verifiers/verifier.ts'
import { isAppError } from '#src/errors.ts'
import { verifierContract } from '../contracts/verifier.ts'
import { answerOf, citizen, testAuthority, type TestAuthority, type Token } from '../support/tokens.ts'

const now = 1_800_000_000_000
const day = 86_400_000
const issuer = 'http://localhost:3000'
const agent = 'http://localhost:3004/token'
const mac = createSoftwareMac(randomBytes(32))

const claim: Claim = {
  attempt: 'attempt-1',
  channel: 'web',
  locale: 'zh',
  largeType: false,
  purpose: '社保查询',
  now,
}

const rules: readonly SubjectRule[] = [
  { kind: 'resident-id-card', number: { from: 'subject:serialNumber' }, name: { from: 'subject:CN' } },
]

interface Setting {
  readonly hardware?: boolean
  readonly level?: 2 | 3 | 4
  readonly rules?: readonly SubjectRule[]
  readonly intermediates?: readonly TestAuthority[]
  readonly required?: boolean
  readonly fetch?: () => Promise<Buffer>
}

const listOf = (authority: TestAuthority, revoked: readonly Token[] = [], thisUpdate = now - 1000, number = 1) =>
  authority.revocationList({
    revoked: revoked.map(({ serial }) => ({ serial, at: now - 2000 })),
    ...{ thisUpdate, nextUpdate: thisUpdate + day, number },
  })

function authorityOf(of: TestAuthority, setting: Setting = {}): Authority {
  const { hardware = true, level, rules: own = rules, intermediates = [], required = true } = setting
  const fetch = setting.fetch ?? (async () => listOf(of))
  const root = readCertificate(of.certificate)
  const between = intermediates.map(({ certificate }) => readCertificate(certificate))
  const lists = intermediates.map((one) => async () => listOf(one))
  const open = (address: string) =>
    createListSource({ fetch: address === 'root' ? fetch : (lists[Number(address)] ?? fetch), refreshMs: 3_600_000 })
  const revocation = createRevocation({
    ...{
      trusted: [root, ...between],
      addresses: ['root', ...lists.map((_, at) => String(at))],
      hosts: [],
      required,
      open,
    },
    waitMs: 4_000,
  })
  return { root, intermediates: between, hardware, level, revocation, rules: own }
}

/** Whether this place is in one of the occurrences of a part. */
const inside = (whole: Buffer, part: Buffer, at: number): boolean =>
  [...Array(part.length).keys()].some(
    (back) => at >= back && whole.subarray(at - back, at - back + part.length).equals(part),
  )

const verifierOf = (authorities: readonly Authority[], smOnly = false) =>
  createCertificateVerifier({ issuer, macs: () => [mac], authorities, validity: 300, agent, smOnly })

const root = await testAuthority(now)
const token = await root.token()
const rsa = await root.token({ kind: 'rsa' })

type Sign = (text: string) => string

async function outcomeOf(answer: Sign, authorities: readonly Authority[] = [authorityOf(root)], smOnly = false) {
  const verifier = verifierOf(authorities, smOnly)
  const { show, keep } = await verifier.begin(claim, undefined)
  return verifier.finish(claim, keep, answer(String(show['text'])))
}

const reasonOf = (outcome: Outcome): string => (outcome.ok ? 'accepted' : (outcome.detail ?? outcome.reason))

async function reason(answer: Sign, authorities?: readonly Authority[], smOnly?: boolean): Promise<string> {
  try {
    return reasonOf(await outcomeOf(answer, authorities, smOnly))
  } catch (error) {
    assert.ok(isAppError(error, 'verifier_unavailable'), String(error))
    return String((error as { detail?: unknown }).detail)
  }
}

const by =
  (one: Token, over = {}): Sign =>
  (text) =>
    answerOf(text, one, over)

for (const kind of ['sm2', 'ec', 'rsa'] as const) {
  const held = kind === 'sm2' ? token : await root.token({ kind })
  verifierContract(`certificate of a key of ${kind}`, (timeoutMs) => {
    let broken: 'throws' | 'hangs' | 'late' | undefined
    const list = async (): Promise<Buffer> => {
      if (broken === 'hangs') return new Promise(() => {})
      if (broken === 'late') await new Promise((done) => setTimeout(done, timeoutMs * 2))
      if (broken === 'throws') throw new Error('gone')
      return listOf(root)
    }
    const authority = authorityOf(root, { fetch: list })
    const unprepared = { ...authority, revocation: { ...authority.revocation, prepare: () => {} } }
    const verifier = guarded(verifierOf([unprepared]), { failures: 100, pauseMs: 1, timeoutMs })
    let text = ''
    return {
      verifier: {
        ...verifier,
        async begin(...given) {
          const begun = await verifier.begin(...given)
          text = String(begun.show['text'])
          return begun
        },
      },
      input: undefined,
      subject: citizen,
      right: () => answerOf(text, held),
      wrong: ['{}', 'null', '[]', '"x"', answerOf('another text', held), 'x'.repeat(20_000)],
      fail: (how) => void (broken = how),
      asksAt: ['finish'],
    }
  })
}

describe('the certificate verifier', () => {
  it('gives a readable text that names site, purpose, time, attempt and a nonce, and says that it is no document', async () => {
    const verifier = verifierOf([authorityOf(root)])
    const texts = await Promise.all(
      ['attempt-1', 'attempt-2', 'attempt-2'].map(async (attempt) => {
        const { show } = await verifier.begin({ ...claim, attempt, purpose: '社保\n随机数 Nonce: x' }, undefined)
        assert.equal(show['agent'], agent)
        return String(show['text']).split('\n')
      }),
    )
    const [lines = []] = texts
    assert.equal(lines.length, 8)
    assert.equal(lines[0], 'YIHAO-CERTIFICATE-SIGN-IN-1')
    assert.match(lines[1] ?? '', /不是对任何文件的签名/)
    assert.equal(lines[3], `网站 Site: ${issuer}`)
    assert.equal(lines[4], '用途 Purpose: 社保 随机数 Nonce: x')
    assert.equal(lines[5], '时间 Time: 2027-01-15T16:00:00+08:00')
    assert.ok(!texts.flat().some((line) => line.includes('attempt-')))
    assert.equal(new Set(texts.map((all) => all[6])).size, 2)
    assert.equal(new Set(texts.map((all) => all[7])).size, 3)
  })

  const levels: readonly [string, Setting, KeyKind, number, string][] = [
    ['an SM2 key in a token', {}, 'sm2', 4, 'hwk'],
    ['an RSA key in a token', {}, 'rsa', 3, 'hwk'],
    ['an RSA key in a token, by setting', { level: 4 }, 'rsa', 4, 'hwk'],
    ['an SM2 key that is a file', { hardware: false }, 'sm2', 2, 'swk'],
    ['an SM2 key that is a file, by setting', { hardware: false, level: 3 }, 'sm2', 3, 'swk'],
  ]
  for (const [what, setting, kind, level, amr] of levels)
    it(`takes ${what} for level ${level}`, async () => {
      const outcome = await outcomeOf(by(kind === 'sm2' ? token : rsa), [authorityOf(root, setting)])
      assert.ok(outcome.ok)
      assert.deepEqual([outcome.evidence.level, outcome.evidence.amr], [level, [amr]])
      assert.deepEqual(outcome.evidence.subject, citizen)
      assert.ok(verifierOf([authorityOf(root, setting)]).cap >= level)
    })

  it('takes signatures of SM2 and ECDSA as DER and as numbers, and of RSA by either padding', async () => {
    const ec = await root.token({ kind: 'ec' })
    const raw = (text: string) => sm2SignatureFromDer(token.key.sign(Buffer.from(text))).toString('base64')
    const ecRaw = (text: string) =>
      sign('sha256', Buffer.from(text), { key: createPrivateKey(ec.key.pem), dsaEncoding: 'ieee-p1363' }).toString(
        'base64',
      )
    const pss = (text: string, saltLength: number) =>
      sign('sha256', Buffer.from(text), {
        ...{ key: createPrivateKey(rsa.key.pem), padding: constants.RSA_PKCS1_PSS_PADDING, saltLength },
      }).toString('base64')
    const cases: readonly [Sign, string][] = [
      [(text) => answerOf(text, token, { signature: raw(text) }), 'accepted'],
      [(text) => answerOf(text, token, { signature: raw(text), format: 'raw' }), 'accepted'],
      [(text) => answerOf(text, token, { signature: raw(text), format: 'der' }), 'signature'],
      [(text) => answerOf(text, token, { format: 'raw' }), 'signature'],
      [(text) => answerOf(text, token, { format: 'der' }), 'accepted'],
      [(text) => answerOf(text, ec, { signature: ecRaw(text) }), 'accepted'],
      [(text) => answerOf(text, ec, { signature: ecRaw(text), format: 'der' }), 'signature'],
      [(text) => answerOf(text, rsa, { signature: pss(text, 32) }), 'accepted'],
      [(text) => answerOf(text, rsa, { signature: pss(text, 0) }), 'signature'],
      [(text) => answerOf(text, token, { format: 'pkcs7' }), 'malformed'],
      [(text) => answerOf(text, token, { format: 'pem' }), 'malformed'],
    ]
    for (const [answer, due] of cases) assert.equal(await reason(answer), due)
  })

  it('takes a SignedData of GM/T 0010 by an SM2 key, and no bit of it changed', async () => {
    const seq = (...parts: readonly Buffer[]) => element(SEQUENCE, Buffer.concat(parts))
    const set = (content: Buffer) => element(0x31, content)
    const type = (last: number) => objectIdentifier(`1.2.156.10197.6.1.4.2.${last}`)
    const sm3 = seq(objectIdentifier('1.2.156.10197.1.401'))
    const one = Buffer.from('020101', 'hex')
    const packed = (text: string): Buffer => {
      const { issuer, serial } = readCertificate(token.certificate)
      const signature = element(0x04, token.key.sign(Buffer.from(text)))
      const signer = seq(one, seq(issuer, element(0x02, Buffer.from(serial, 'hex'))), sm3, sm3, signature)
      const certificates = element(0xa0, token.certificate)
      return seq(type(2), element(0xa0, seq(one, set(sm3), seq(type(1)), certificates, set(signer))))
    }
    const given = (text: string, der: Buffer) =>
      JSON.stringify({ text, signature: der.toString('base64'), format: 'pkcs7' })
    assert.equal(await reason((text) => given(text, packed(text))), 'accepted')
    const verifier = verifierOf([authorityOf(root)])
    const { show, keep } = await verifier.begin(claim, undefined)
    const text = String(show['text'])
    const whole = packed(text)
    // The names of the algorithms are passed over: the key alone decides.
    for (const at of whole.keys()) {
      if (inside(whole, sm3, at)) continue
      const altered = Buffer.from(whole)
      altered[at] = (altered[at] as number) ^ 1
      assert.equal((await verifier.finish(claim, keep, given(text, altered))).ok, false, `byte ${at}`)
    }
  })

  it('takes a certificate of an intermediate, from the settings or from the answer', async () => {
    const middle = await root.below('二级')
    const leaf = await middle.token()
    const chain = [middle.certificate.toString('base64')]
    assert.equal(await reason(by(leaf), [authorityOf(root, { intermediates: [middle] })]), 'accepted')
    assert.equal(await reason(by(leaf)), 'chain')
    assert.equal(await reason(by(leaf, { chain })), 'certificate: crl-unavailable', 'nobody says it is not revoked')
    assert.equal(await reason(by(leaf, { chain }), [authorityOf(root, { required: false })]), 'accepted')
    const lists = { fetch: async () => listOf(middle) }
    const given = [authorityOf(root, { ...lists, intermediates: [middle] })]
    assert.equal(await reason(by(leaf, { chain: [...chain, root.certificate.toString('base64')] }), given), 'accepted')
  })

  describe('refuses', () => {
    const usage = (octet: number) => ({
      id: '2.5.29.15',
      critical: true,
      value: element(BIT_STRING, Buffer.of(0, octet)),
    })
    const purpose = (id: string) => ({ id: '2.5.29.37', value: element(SEQUENCE, objectIdentifier(id)) })
    const unknown = { id: '1.2.3.4', critical: true, value: element(BOOLEAN, Buffer.of(0xff)) }

    const certificates: readonly [string, () => Promise<Token>, string][] = [
      ['of an authority nobody named', async () => (await testAuthority(now)).token(), 'chain'],
      ['that has expired', () => root.token({ notAfter: now - 1000 }), 'expired'],
      ['that is not yet valid', () => root.token({ notBefore: now + 1000 }), 'not-yet'],
      ['whose key encrypts', () => root.token({ extensions: [usage(0x30)] }), 'usage'],
      ['of a server', () => root.token({ extensions: [purpose('1.3.6.1.5.5.7.3.1')] }), 'usage'],
      ['that says what is not understood', () => root.token({ extensions: [unknown] }), 'usage'],
      [
        'of somebody’s own making, below a citizen',
        async () => {
          const below = await root.below('普通人', { ca: false })
          return below.token()
        },
        'chain',
      ],
      ['without a number', () => root.token({ subject: [['CN', citizen.name]] }), 'subject'],
      [
        'with a number that is none',
        () =>
          root.token({
            subject: [
              ['CN', '刘䶮'],
              ['serialNumber', '690101199203051011'],
            ],
          }),
        'subject',
      ],
      [
        'with two numbers',
        () =>
          root.token({
            subject: [
              ['CN', '刘䶮'],
              ['serialNumber', citizen.number],
              ['serialNumber', '690101198807191028'],
            ],
          }),
        'subject',
      ],
      ['without a name', () => root.token({ subject: [['serialNumber', citizen.number]] }), 'name'],
      [
        'with a name that is none',
        () =>
          root.token({
            subject: [
              ['CN', '12345'],
              ['serialNumber', citizen.number],
            ],
          }),
        'name',
      ],
    ]
    for (const [what, make, due] of certificates)
      it(`a certificate ${what}: ${due}`, async () => assert.equal(await reason(by(await make())), due))

    it('one out of its dates in words that its holder is told, and of no other fault says more', async () => {
      const verifier = verifierOf([authorityOf(root)])
      const said = async (made: Token) => {
        const { show, keep } = await verifier.begin(claim, undefined)
        const outcome = await verifier.finish(claim, keep, answerOf(String(show['text']), made))
        return outcome.ok ? 'accepted' : outcome.say
      }
      assert.equal(await said(await root.token({ notAfter: now - 1000 })), 'certificate_expired')
      assert.equal(await said(await root.token({ notBefore: now + 1000 })), 'certificate_not-yet-valid')
      assert.equal(await said(await root.token({ extensions: [usage(0x30)] })), undefined)
      assert.equal(await said(await (await testAuthority(now)).token()), undefined)
    })

    it('an authority that may not certify, though its certificate comes along: usage', async () => {
      const below = await root.below('普通人', { ca: false })
      const chain = [below.certificate.toString('base64')]
      assert.equal(await reason(by(await below.token(), { chain })), 'usage')
    })

    it('an authority of the right name and another key: chain', async () => {
      const impostor = await testAuthority(now)
      assert.equal(await reason(by(await impostor.token())), 'chain')
      const chain = [impostor.certificate.toString('base64')]
      assert.equal(await reason(by(await impostor.token(), { chain })), 'chain')
    })

    it('the signature of another token, or of another text: signature, challenge', async () => {
      const other = await root.token()
      assert.equal(await reason((text) => answerOf(text, { ...token, key: other.key })), 'signature')
      assert.equal(await reason((text) => answerOf(text, { ...token, key: rsa.key })), 'signature', 'RSA as SM2')
      assert.equal(await reason((text) => answerOf(text, { ...rsa, key: token.key })), 'signature', 'SM2 as RSA')
      const signature = token.key.sign(Buffer.from('a contract')).toString('base64')
      assert.equal(await reason(by(token, { signature })), 'signature')
      assert.equal(await reason((text) => answerOf(text.replace(issuer, 'https://evil.example'), token)), 'challenge')
    })

    it('any changed bit of the certificate and the signature', async () => {
      const verifier = verifierOf([authorityOf(root)])
      const { show, keep } = await verifier.begin(claim, undefined)
      const text = String(show['text'])
      const whole = JSON.parse(answerOf(text, token)) as { certificate: string; signature: string }
      for (const part of ['certificate', 'signature'] as const) {
        const bytes = Buffer.from(whole[part], 'base64')
        for (let at = 0; at < bytes.length; at += part === 'certificate' ? 5 : 1) {
          const altered = Buffer.from(bytes)
          altered[at] = (altered[at] as number) ^ (1 << (at % 8))
          const answer = JSON.stringify({ ...whole, [part]: altered.toString('base64') })
          assert.equal((await verifier.finish(claim, keep, answer)).ok, false, `${part} ${at}`)
        }
      }
      assert.equal((await verifier.finish(claim, keep, JSON.stringify(whole))).ok, true)
    })

    it('the answer to a challenge of another attempt, channel or site: challenge, foreign', async () => {
      const here = verifierOf([authorityOf(root)])
      const there = createCertificateVerifier({
        ...{ issuer: 'https://other.example.gov.cn', macs: () => [mac] as const, authorities: [authorityOf(root)] },
        ...{ validity: 300, agent, smOnly: false },
      })
      const mine = await here.begin(claim, undefined)
      for (const [verifier, other] of [
        [here, { ...claim, attempt: 'attempt-2' }],
        [here, claim],
        [there, claim],
      ] as const) {
        const foreign = await verifier.begin(other, undefined)
        const answer = answerOf(String(foreign.show['text']), token)
        assert.equal(reasonOf(await here.finish(claim, mine.keep, answer)), 'challenge')
      }
      const answer = answerOf(String(mine.show['text']), token)
      assert.equal(reasonOf(await here.finish({ ...claim, channel: 'kiosk' }, mine.keep, answer)), 'foreign')
    })

    it('short RSA keys and curves that nobody named: weak-key, algorithm', async () => {
      const { generateKeyPairSync } = await import('node:crypto')
      const keyOf = (pair: { privateKey: { export: (o: { type: 'pkcs8'; format: 'pem' }) => unknown } }) =>
        String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
      const { readCertifiedKey } = await import('#src/demo/certificate-keys.ts')
      const short = await readCertifiedKey('rsa', keyOf(generateKeyPairSync('rsa', { modulusLength: 1024 })))
      assert.equal(await reason(by(await root.token({ key: short }))), 'weak-key')
      for (const namedCurve of ['secp521r1', 'secp256k1']) {
        const key = await readCertifiedKey('ec', keyOf(generateKeyPairSync('ec', { namedCurve })))
        assert.equal(await reason(by(await root.token({ key }))), 'algorithm', namedCurve)
      }
    })

    it('what is not SM2 where domestic algorithms alone may be used: algorithm', async () => {
      assert.equal(await reason(by(token), [authorityOf(root)], true), 'accepted')
      assert.equal(await reason(by(rsa), [authorityOf(root)], true), 'algorithm')
      const standard = await testAuthority(now, 'rsa')
      assert.equal(await reason(by(await standard.token()), [authorityOf(standard)], true), 'algorithm')
      assert.equal(await reason(by(await standard.token()), [authorityOf(standard)]), 'accepted')
    })

    it('what is too long, spelt twice, or more than was asked: malformed', async () => {
      const chain = Array.from({ length: 5 }, () => root.certificate.toString('base64'))
      assert.equal(await reason(by(token, { chain })), 'malformed')
      assert.equal(await reason((text) => answerOf(text, token).padEnd(16_385)), 'malformed')
      assert.equal(await reason(by(token, { certificate: `${token.certificate.toString('base64')}\n` })), 'malformed')
      assert.equal(await reason(by(token, { pin: '1234' })), 'malformed')
      assert.equal(await reason(by(token, { certificate: Buffer.from('x').toString('base64') })), 'malformed')
    })
  })

  it('chooses the authority that the certificate comes from, with its own rules', async () => {
    const other = await testAuthority(now, 'ec', '另一家')
    const authorities = [authorityOf(other, { hardware: false }), authorityOf(root)]
    const [first, second] = [
      await outcomeOf(by(await other.token()), authorities),
      await outcomeOf(by(token), authorities),
    ]
    assert.ok(first.ok && second.ok)
    assert.deepEqual([first.evidence.level, second.evidence.level], [2, 4])
    assert.deepEqual(verifierOf(authorities).amr, ['swk', 'hwk'])
  })
})

describe('whom a certificate names', () => {
  const rule = (number: SubjectRule['number'], name: SubjectRule['name'] = { from: 'subject:CN' }): SubjectRule => ({
    ...{ kind: 'resident-id-card', number, name },
  })
  const named = async (one: Token, ...own: readonly SubjectRule[]) => {
    const outcome = await outcomeOf(by(one), [authorityOf(root, { rules: own })])
    return outcome.ok ? outcome.evidence.subject : outcome.detail
  }
  const identifyCode = (value: Buffer) => ({ id: '1.2.156.10260.4.1.1', value })
  const [printable, utf8] = [0x13, 0x0c]

  it('is read from a part of a field, as authorities write it', async () => {
    const one = await root.token({
      subject: [
        ['OU', '示例'],
        ['OU', `1@5001SF${citizen.number}`],
        ['CN', `${citizen.name}@1`],
      ],
    })
    const number = { from: 'subject:OU', pattern: 'SF(?<value>\\d{17}[\\dX])$' }
    assert.deepEqual(await named(one, rule(number, { from: 'subject:CN', pattern: '^(?<value>[^@]+)@' })), citizen)
    assert.equal(await named(one, rule(number)), 'name')
    assert.equal(await named(one, rule({ from: 'subject:serialNumber' })), 'subject')
    const fallBack = { from: 'subject:2.5.4.3', pattern: '^(?<value>[^@]+)' }
    assert.deepEqual(await named(one, rule({ from: 'subject:serialNumber' }), rule(number, fallBack)), citizen)
  })

  it('is read from the extension of personal identification, bare or as the set of numbers', async () => {
    const text = Buffer.from(citizen.number)
    const set = (member: Buffer) => element(0x31, member)
    for (const value of [
      element(printable, text),
      element(utf8, text),
      set(element(0x80, text)),
      set(element(0xa0, element(printable, text))),
    ]) {
      const one = await root.token({ subject: [['CN', citizen.name]], extensions: [identifyCode(value)] })
      assert.deepEqual(await named(one, rule({ from: 'extension:1.2.156.10260.4.1.1' })), citizen)
      assert.equal(await named(one, rule({ from: 'extension:1.2.156.10260.4.1.2' })), 'subject')
    }
    const passport = await root.token({
      subject: [['CN', 'MARIA GARCIA LOPEZ']],
      extensions: [identifyCode(set(element(0x82, Buffer.from('X1234567'))))],
    })
    const two: SubjectRule = {
      ...{ kind: 'passport', number: { from: 'extension:1.2.156.10260.4.1.1[2]' }, name: { from: 'subject:CN' } },
    }
    const due = { kind: 'passport', number: 'X1234567', name: 'MARIA GARCIA LOPEZ' }
    assert.deepEqual(await named(passport, rule({ from: 'extension:1.2.156.10260.4.1.1' }), two), due)
    const odd = await root.token({
      subject: [['CN', citizen.name]],
      extensions: [identifyCode(element(0x31, Buffer.of(0xff)))],
    })
    assert.equal(await named(odd, rule({ from: 'extension:1.2.156.10260.4.1.1' })), 'subject')
  })

  it('is looked for in short texts only, whatever the pattern', async () => {
    const one = await root.token({
      subject: [
        ['OU', '9'.repeat(40_000)],
        ['CN', citizen.name],
      ],
      serial: Buffer.of(1),
    })
    const started = performance.now()
    const given = { from: 'subject:OU', pattern: '^\\d*\\d*\\d*x(?<value>.)$' }
    assert.equal(await named({ ...one }, rule(given)), 'malformed', 'more than 16 KiB')
    const short = await root.token({
      subject: [
        ['OU', '9'.repeat(256)],
        ['CN', citizen.name],
      ],
    })
    assert.equal(await named(short, rule(given)), 'subject')
    assert.ok(performance.now() - started < 1_000)
  })
})
