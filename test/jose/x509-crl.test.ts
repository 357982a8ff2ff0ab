/** Revocation lists made by the openssl command, of each kind of key, and lists that are refused. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAuthority, distinguishedName, newSerial, objectIdentifier } from '#src/demo/certificate-authority.ts'
import { createCertifiedKey } from '#src/demo/certificate-keys.ts'
import { BOOLEAN, element, INTEGER, SEQUENCE, OCTET_STRING } from '#src/jose/der.ts'
import { readCertificate } from '#src/jose/x509-certificate.ts'
import { distributionPointsOf, isAbout, listsRevocations, readRevocationList } from '#src/jose/x509-crl.ts'
import { readName, readString } from '#src/jose/x509-name.ts'
import { CA, certificates, SIGNER, type Party, type Request } from '../support/certificates.ts'
import { needsOpenssl, openssl } from '../support/openssl.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const derOf = (pem: string) => Buffer.from(pem.replace(/-----[A-Z0-9 ]+-----|\s/g, ''), 'base64')
const certificateOf = ({ pem }: Party) => readCertificate(derOf(pem))

/** A list by `openssl ca`, which numbers its lists and says why it revoked. */
function listOf(directory: string, by: Party, kind: string, revoked: readonly Party[]): Buffer {
  const at = join(directory, `${kind}-${newSerial().toString('hex')}`)
  const sm2 = kind === 'sm2'
  const config = ['[ca]', 'default_ca=one', '[one]', `database=${at}.txt`, `crlnumber=${at}.number`]
  config.push(`default_md=${sm2 ? 'sm3' : 'sha256'}`, 'default_crl_days=7', 'crl_extensions=list', '[list]')
  config.push('authorityKeyIdentifier=keyid:always')
  writeFileSync(`${at}.cnf`, `${config.join('\n')}\n`)
  writeFileSync(`${at}.txt`, '')
  writeFileSync(`${at}.number`, '1A\n')
  const command = ['ca', '-config', `${at}.cnf`, '-keyfile', by.key, '-cert', by.file]
  const signing = sm2 ? ['-sigopt', 'distid:1234567812345678'] : []
  for (const one of revoked) openssl(...command, '-revoke', one.file, '-crl_reason', 'keyCompromise')
  openssl(...command, ...signing, '-gencrl', '-out', `${at}.crl`)
  return derOf(readFileSync(`${at}.crl`, 'utf8'))
}

describe('A revocation list', function () {
  this.timeout(30_000)
  const directories = temporaryDirectories()
  let directory: string
  let issue: (request: Request) => Party
  before(function () {
    needsOpenssl(this)
    directory = directories()
    issue = certificates(directory)
  })

  for (const kind of ['sm2', 'ec', 'rsa'] as const)
    it(`made by openssl with a key of ${kind} is read and verified as openssl means it`, () => {
      const root = issue({ kind, name: 'root' })
      const other = issue({ kind, name: 'root' })
      const [good, bad] = [issue({ by: root, extensions: SIGNER }), issue({ by: root, extensions: SIGNER })]
      const der = listOf(directory, root, kind, [bad])
      const list = readRevocationList(der)
      assert.equal(list.number, 0x1an)
      assert.equal(list.nextUpdate - list.thisUpdate, 7 * 86_400_000)
      assert.ok(Math.abs(list.thisUpdate - Date.now()) < 60_000)
      assert.deepEqual([...list.revoked], [certificateOf(bad).serial])
      assert.ok(!list.revoked.has(certificateOf(good).serial))
      assert.ok(isAbout(list, certificateOf(good)))
      assert.equal(listsRevocations(certificateOf(root), list), true)
      assert.equal(listsRevocations(certificateOf(other), list), false, 'of the same name')
      // Any bit under the signature or in it.
      for (let at = 8; at < der.length; at += 7) {
        const altered = Buffer.from(der)
        altered[at] = (altered[at] as number) ^ 1
        try {
          assert.equal(listsRevocations(certificateOf(root), readRevocationList(altered)), false, `byte ${at}`)
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error
        }
      }
    })

  it('is made only by an authority that may', () => {
    const root = issue({ extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'] })
    const list = readRevocationList(listOf(directory, root, 'sm2', []))
    assert.equal(listsRevocations(certificateOf(root), list), false)
    assert.ok(CA.some((extension) => extension.includes('cRLSign')))
  })
})

describe('A revocation list of ours', () => {
  const now = Date.UTC(2026, 10, 24)
  const made = async () => {
    const key = await createCertifiedKey('sm2')
    const authority = createAuthority(key, { subject: [['CN', '示例']], notBefore: now, notAfter: now + 1e10 })
    const usual = { revoked: [], thisUpdate: now, nextUpdate: now + 86_400_000, number: 7 }
    return { key, authority, usual }
  }
  const bool = element(BOOLEAN, Buffer.of(0xff))
  const issuingPoint = (content: Buffer) => ({ id: '2.5.29.28', critical: true, value: element(SEQUENCE, content) })
  const point = (address: string) => element(0xa0, element(0xa0, element(0x86, Buffer.from(address))))

  it('may be empty, long, and of the years after 2050', async () => {
    const { authority, usual } = await made()
    assert.equal(readRevocationList(authority.revocationList(usual)).revoked.size, 0)
    const revoked = Array.from({ length: 2_500 }, () => ({ serial: newSerial(), at: now }))
    const der = authority.revocationList({ ...usual, revoked, nextUpdate: Date.UTC(2051, 0, 1) })
    assert.ok(der.length > 0x10000)
    const list = readRevocationList(der)
    assert.equal(list.revoked.size, 2_500)
    assert.equal(list.nextUpdate, Date.UTC(2051, 0, 1))
    assert.ok(listsRevocations(readCertificate(authority.certificate), list))
  })

  it('without an end, of changes, by somebody else, of some reasons, or with what is not understood is refused', async () => {
    const { authority, usual } = await made()
    const refused = (extensions: Parameters<typeof authority.revocationList>[0]['extensions']) =>
      assert.throws(
        () => readRevocationList(authority.revocationList({ ...usual, extensions: extensions ?? [] })),
        TypeError,
      )
    const { nextUpdate: _, ...endless } = usual
    assert.throws(() => readRevocationList(authority.revocationList(endless)), TypeError)
    refused([{ id: '2.5.29.27', critical: true, value: element(INTEGER, Buffer.of(1)) }]) // deltaCRLIndicator
    refused([issuingPoint(element(0x84, Buffer.of(0xff)))]) // indirectCRL
    refused([issuingPoint(element(0x83, Buffer.of(7, 0x80)))]) // onlySomeReasons
    refused([issuingPoint(element(0x85, Buffer.of(0xff)))]) // onlyContainsAttributeCerts
    refused([{ id: '1.2.3.4', critical: true, value: bool }])
    const nowhere = { ...usual, nextUpdate: now - 1 }
    assert.throws(() => readRevocationList(authority.revocationList(nowhere)), TypeError)
    const certificate = authority.certificate
    for (const der of [certificate, Buffer.alloc(0), Buffer.concat([authority.revocationList(usual), Buffer.of(0)])])
      assert.throws(() => readRevocationList(der), TypeError)
  })

  it('of a part is about those certificates alone that name the part', async () => {
    const { authority, usual, key } = await made()
    const part = 'http://crl.example.gov.cn/3.crl'
    const request = { subject: [['CN', 'a']] as const, spki: key.spki, notBefore: now, notAfter: now + 1e9 }
    const points = (address: string) => ({
      id: '2.5.29.31',
      value: element(SEQUENCE, element(SEQUENCE, point(address))),
    })
    const inPart = readCertificate(authority.issue({ ...request, extensions: [points(part)] }))
    const outside = readCertificate(authority.issue({ ...request, extensions: [points(`${part}x`)] }))
    const plain = readCertificate(authority.issue(request))
    assert.deepEqual(distributionPointsOf(inPart), [part])
    const about = (content: Buffer) => {
      const list = readRevocationList(authority.revocationList({ ...usual, extensions: [issuingPoint(content)] }))
      return [inPart, outside, plain].map((one) => isAbout(list, one))
    }
    assert.deepEqual(about(point(part)), [true, false, false])
    assert.deepEqual(about(element(0x81, Buffer.of(0xff))), [true, true, true])
    assert.deepEqual(about(element(0x82, Buffer.of(0xff))), [false, false, false])
  })

  it('and a certificate never make the reader hang or throw anything but a TypeError', async () => {
    const { authority, usual } = await made()
    const der = authority.revocationList({ ...usual, revoked: [{ serial: newSerial(), at: now }] })
    for (let at = 0; at < der.length; at += 1)
      for (const octet of [0, 0x7f, 0x80, 0xff]) {
        const altered = Buffer.from(der)
        altered[at] = octet
        try {
          readRevocationList(altered)
        } catch (error) {
          assert.ok(error instanceof TypeError, `byte ${at}`)
        }
      }
  })
})

describe('A name in a certificate', () => {
  it('is read attribute by attribute, with rare characters and without strings of doubtful meaning', () => {
    const der = distinguishedName([
      ['C', 'CN'],
      ['OU', '1@5001SF690101199203051010'],
      ['CN', '刘䶮'],
      ['0.9.2342.19200300.100.1.1', 'x'],
    ])
    assert.deepEqual(readName(der), [
      { id: '2.5.4.6', text: 'CN' },
      { id: '2.5.4.11', text: '1@5001SF690101199203051010' },
      { id: '2.5.4.3', text: '刘䶮' },
      { id: '0.9.2342.19200300.100.1.1', text: 'x' },
    ])
    const teletex = element(
      SEQUENCE,
      element(0x31, element(SEQUENCE, Buffer.concat([objectIdentifier('2.5.4.3'), element(0x14, Buffer.from('A'))]))),
    )
    assert.deepEqual(readName(teletex), [])
    assert.equal(readString(element(0x1e, Buffer.from('5218', 'hex'))), '刘')
    for (const bad of [
      element(0x0c, Buffer.of(0xff)),
      element(0x13, Buffer.from('§')),
      element(OCTET_STRING, Buffer.of(1)),
      Buffer.alloc(0),
    ])
      assert.throws(() => readString(bad), TypeError)
  })
})
