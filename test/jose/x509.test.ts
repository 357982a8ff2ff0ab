import assert from 'node:assert/strict'
import { KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { errors, exportJWK, importJWK, importPKCS8, importX509, isSm2Key, jwtVerify, SGD_SM3_SM2, SignJWT } from 'jose'
import { importSPKI, verifyCertificateChain } from 'jose'
import type { Sm2Key } from 'jose'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CA, certificates, SIGNER } from '../support/certificates.ts'
import type { Party, Request } from '../support/certificates.ts'
import { needsOpenssl, openssl } from '../support/openssl.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const { JOSENotSupported, JWKInvalid } = errors
const day = 86_400_000
const inDays = (days: number): Date => new Date(Date.now() + days * day)

describe('A certificate chain', function () {
  this.timeout(30_000)
  const directory = temporaryDirectories()
  let issue: (request: Request) => Party
  let root: Party
  let middle: Party
  let leaf: Party
  before(function () {
    needsOpenssl(this)
    issue = certificates(directory())
    root = issue({ days: 300, name: 'root' })
    middle = issue({ by: root, days: 200 })
    leaf = issue({ by: middle, days: 100, extensions: SIGNER })
  })

  const verify = (chain: readonly Party[], roots: readonly Party[] = [root], currentDate?: Date) =>
    verifyCertificateChain(
      chain.map(({ text }) => text),
      { roots: roots.map(({ pem }) => pem), currentDate },
    )
  const refused = (chain: readonly Party[], why: RegExp, roots?: readonly Party[], date?: Date) =>
    assert.rejects(verify(chain, roots, date), (error) => error instanceof JWKInvalid && why.test(error.message))

  it('of SM2, root, intermediate and leaf, gives the key of the leaf, which verifies what the leaf signs', async () => {
    const key = await verify([leaf, middle])
    assert.ok(isSm2Key(key))
    const privateKey = await importPKCS8(readFileSync(leaf.key, 'utf8').trim(), SGD_SM3_SM2)
    const header = { alg: SGD_SM3_SM2, x5c: [leaf.text, middle.text] }
    const jwt = await new SignJWT({ sub: 's' }).setProtectedHeader(header).sign(privateKey)
    const roots = [root.pem]
    const { payload } = await jwtVerify(jwt, ({ x5c }) => verifyCertificateChain(x5c, { roots }))
    assert.equal(payload.sub, 's')
  })

  it('may end with the root or before it, be one certificate, or a root itself', async () => {
    const direct = issue({ by: root, extensions: SIGNER })
    const pinned = issue({ extensions: SIGNER })
    for (const chain of [[leaf, middle, root], [leaf, middle], [direct], [direct, root]]) await verify(chain)
    await verify([pinned], [root, pinned])
    await verify([leaf, middle], [issue({}), issue({ name: 'root' }), root])
  })

  it('of one certificate below the root is judged as openssl judges it, whole and altered', async () => {
    const files = directory()
    const judged = (signer: string): string => {
      const file = join(files, 'signer.pem')
      writeFileSync(file, signer)
      // Its option for the identifier reaches the first certificate only.
      return openssl('verify', '-CAfile', root.file, '-vfyopt', 'distid:1234567812345678', file)
    }
    const direct = issue({ by: root, extensions: SIGNER })
    assert.match(judged(direct.pem), /OK/)
    await verify([direct])
    const der = Buffer.from(direct.text, 'base64')
    const at = der.length - 40 // inside the signature, where the certificate stays well-formed
    der[at] = (der[at] as number) ^ 1
    const text = der.toString('base64')
    assert.throws(() => judged(`-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`))
    await refused([{ ...direct, text }], /no trusted root/)
  })

  it('leads to no root that the caller did not name', async () => {
    const other = issue({ name: 'root' })
    await refused([leaf, middle, root], /no trusted root/, [other])
    await refused([leaf, middle], /no trusted root/, [other])
    await refused([leaf], /no trusted root/)
    await refused([issue({ extensions: SIGNER })], /no trusted root/)
    await refused([issue({ name: 'root', extensions: SIGNER })], /no trusted root/)
  })

  it('holds in its right order only, and without strangers', async () => {
    const stranger = issue({})
    for (const chain of [
      [middle, leaf],
      [leaf, root, middle],
      [leaf, middle, root, stranger],
      [leaf, stranger, middle, root],
      [leaf, leaf, middle],
      [stranger, leaf, middle],
    ])
      await refused(chain, /not signed by the next|may not certify|no trusted root/)
  })

  it('holds only while every one of its certificates is valid', async () => {
    await verify([leaf, middle], [root], inDays(99))
    await refused([leaf, middle], /certificate 0 has expired/, [root], inDays(101))
    const long = issue({ by: middle, days: 1000, extensions: SIGNER })
    await refused([long, middle], /certificate 1 has expired/, [root], inDays(201))
    const longer = issue({ by: root, days: 1000, extensions: SIGNER })
    await refused([longer], /certificate 1 has expired/, [root], inDays(301))
    await refused([leaf, middle], /certificate 2 is not yet valid/, [root], inDays(-1))
  })

  it('is certified by authorities only', async () => {
    const under = (extensions: readonly string[]): readonly Party[] => {
      const issuer = issue({ by: root, extensions })
      return [issue({ by: issuer, extensions: SIGNER }), issuer]
    }
    await verify(under(['basicConstraints=CA:TRUE']))
    const may = /certificate 1 may not certify/
    await refused(under(SIGNER), may)
    await refused(under([]), may)
    await refused(under(['keyUsage=keyCertSign']), may)
    await refused(under(['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,digitalSignature']), may)
    const weak = issue({ extensions: SIGNER })
    await refused([issue({ by: weak, extensions: SIGNER })], may, [weak])
  })

  it('is no longer than its authorities allow', async () => {
    const short = issue({ by: root, extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0', CA[1] as string] })
    const below = issue({ by: short })
    await verify([issue({ by: short, extensions: SIGNER }), short])
    await refused([issue({ by: below, extensions: SIGNER }), below, short], /certificate 2 allows no chain so long/)
    const one = issue({ extensions: ['basicConstraints=critical,CA:TRUE,pathlen:1', CA[1] as string] })
    const next = issue({ by: one })
    await verify([issue({ by: next, extensions: SIGNER }), next], [one])
    const third = issue({ by: next })
    await refused([issue({ by: third, extensions: SIGNER }), third, next], /allows no chain so long/, [one])
  })

  it('ends in a key that may sign', async () => {
    const withUsage = (...extensions: string[]): Party[] => [issue({ by: middle, extensions }), middle]
    await verify(withUsage())
    await verify(withUsage('keyUsage=nonRepudiation'))
    await verify(withUsage('keyUsage=digitalSignature,keyEncipherment,decipherOnly'))
    await refused(
      withUsage('keyUsage=critical,keyEncipherment,dataEncipherment'),
      /certificate 0 is not for signatures/,
    )
    await refused([middle], /certificate 0 is not for signatures/)
  })

  it('has no critical extension that is not understood; others are passed over', async () => {
    const extended = (extension: string): Party[] => [issue({ by: middle, extensions: [...SIGNER, extension] }), middle]
    await verify(extended('extendedKeyUsage=clientAuth'))
    for (const extension of ['extendedKeyUsage=critical,clientAuth', '1.2.3.4=critical,ASN1:UTF8String:new'])
      await assert.rejects(verify(extended(extension)), JOSENotSupported)
    const limited = issue({ by: root, extensions: [...CA, 'nameConstraints=critical,permitted;DNS:example.gov.cn'] })
    await assert.rejects(verify([issue({ by: limited, extensions: SIGNER }), limited]), JOSENotSupported)
  })

  it('may be of ECDSA and RSA, and mixed; not of SHA-1, short RSA keys, or curves nobody named', async () => {
    const rsa = issue({ kind: 'rsa' })
    const ec = issue({ kind: 'ec', by: rsa, hash: 'sha384' })
    const sm2 = issue({ by: ec, hash: 'sha512', extensions: SIGNER })
    assert.ok(isSm2Key(await verify([sm2, ec], [rsa])))
    const mixed = issue({ kind: 'rsa', by: middle, extensions: SIGNER })
    const key = await verify([mixed, middle])
    assert.ok(key instanceof KeyObject && key.asymmetricKeyType === 'rsa')
    const elliptic = await verify([issue({ kind: 'ec', by: rsa, extensions: SIGNER })], [rsa])
    assert.ok(elliptic instanceof KeyObject && elliptic.asymmetricKeyDetails?.namedCurve === 'secp384r1')
    for (const [chain, roots] of [
      [[issue({ by: rsa, hash: 'sha1', extensions: SIGNER })], [rsa]],
      [[issue({ kind: 'rsa1024', by: rsa, extensions: SIGNER })], [rsa]],
      [[issue({ kind: 'secp256k1', by: rsa, extensions: SIGNER })], [rsa]],
    ] as const)
      await assert.rejects(verify(chain, roots), JOSENotSupported)
  })

  it('is refused with any bit of any of its certificates changed', async () => {
    const chain = [leaf, middle].map(({ text }) => Buffer.from(text, 'base64'))
    const property = fc.asyncProperty(fc.nat(1), fc.nat(), async (which, bit) => {
      const changed = chain.map((der) => Buffer.from(der))
      const der = changed[which] as Buffer
      const at = bit % (der.length * 8)
      der[at >> 3] = (der[at >> 3] as number) ^ (1 << (at & 7))
      const x5c = changed.map((bytes) => bytes.toString('base64'))
      await assert.rejects(
        verifyCertificateChain(x5c, { roots: [root.pem] }),
        (error) => error instanceof JWKInvalid || error instanceof JOSENotSupported,
        `certificate ${which}, bit ${at}`,
      )
    })
    await fc.assert(property, { numRuns: 1500 })
  })

  it('is refused where it is no chain of canonical base64 DER', async () => {
    const options = { roots: [root.pem] }
    const [one, two] = [leaf.text, middle.text]
    const bad: unknown[] = [
      ...[undefined, 'text', {}, [], [1], [''], [one, null], [`${one}\n`, two], [leaf.pem, two]],
      ...[[Buffer.from(one, 'base64').toString('base64url'), two], [one, two.slice(4)], Array(11).fill(root.text)],
      ...[[Buffer.alloc(20_000).toString('base64')], [Buffer.from('3080', 'hex').toString('base64')]],
    ]
    for (const x5c of bad) await assert.rejects(verifyCertificateChain(x5c as string[], options), JWKInvalid)
  })

  it('is not judged by mistaken options', async () => {
    for (const options of [
      ...[
        undefined,
        {},
        { roots: [] },
        { roots: root.pem },
        { roots: [root.text] },
        { roots: [`${root.pem}${root.pem}`] },
      ],
      ...[
        { roots: [root.pem], currentDate: 'today' },
        { roots: [root.pem], currentDate: new Date(NaN) },
      ],
    ])
      await assert.rejects(verifyCertificateChain([leaf.text, middle.text], options as never), TypeError)
  })

  describe('and importX509', () => {
    it('gives the SM2 key of a certificate, whatever its dates and its signature', async () => {
      const key = await importX509(leaf.pem, SGD_SM3_SM2)
      assert.ok(isSm2Key(key) && key.extractable)
      const jwk = await exportJWK(key)
      assert.deepEqual(jwk, await exportJWK((await verify([leaf, middle])) as Sm2Key))
      assert.ok(await importJWK(jwk, SGD_SM3_SM2))
      const kept = await importX509(leaf.pem, SGD_SM3_SM2, { extractable: false })
      await assert.rejects(exportJWK(kept), TypeError)
    })

    it('refuses a certificate of another key, other PEM, and anything but one strict certificate', async () => {
      const ec = issue({ kind: 'ec' })
      await assert.rejects(importX509(ec.pem, SGD_SM3_SM2), JOSENotSupported)
      assert.equal((await importX509(ec.pem, 'ES384')).type, 'public')
      for (const text of ['', leaf.text, readFileSync(leaf.key, 'utf8'), `${leaf.pem}${middle.pem}`, null])
        await assert.rejects(importX509(text as string, SGD_SM3_SM2), TypeError)
      await assert.rejects(importSPKI(leaf.pem, SGD_SM3_SM2), TypeError)
      const der = Buffer.from(leaf.text, 'base64')
      const pem = (bytes: Buffer): string =>
        `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64')}\n-----END CERTIFICATE-----`
      await importX509(pem(der), SGD_SM3_SM2)
      const indefinite = Buffer.concat([Buffer.of(0x30, 0x80), der.subarray(4), Buffer.of(0, 0)])
      const long = Buffer.concat([Buffer.of(0x30, 0x83, 0), der.subarray(2)])
      for (const bytes of [Buffer.concat([der, Buffer.of(0)]), der.subarray(0, -1), indefinite, long, Buffer.of(0x30)])
        await assert.rejects(importX509(pem(bytes), SGD_SM3_SM2), /Failed to parse the X.509 certificate/)
    })

    it('does not crash on any bytes', async () => {
      const der = Buffer.from(leaf.text, 'base64')
      const property = fc.asyncProperty(fc.nat(der.length), fc.uint8Array({ maxLength: 8 }), async (at, bytes) => {
        const changed = Buffer.concat([der.subarray(0, at), bytes, der.subarray(at + bytes.length)])
        const pem = `-----BEGIN CERTIFICATE-----\n${changed.toString('base64')}\n-----END CERTIFICATE-----`
        await importX509(pem, SGD_SM3_SM2).catch((error: unknown) =>
          assert.ok(error instanceof TypeError || error instanceof JOSENotSupported || error instanceof JWKInvalid),
        )
      })
      await fc.assert(property, { numRuns: 400 })
    })
  })
})
