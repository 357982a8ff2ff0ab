/** Certificates, signatures and revocation lists that the openssl command has made: another hand than the one that judges. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { currentList, openTokens } from '#src/demo/tokens.ts'
import { toPem } from '#src/demo/certificate-authority.ts'
import { loadConfig, parseConfig } from '#src/config.ts'
import { readSigned } from '#src/jose/x509-certificate.ts'
import { openCertificateVerifier } from '#src/verifiers/certificate/open.ts'
import type { Claim } from '#src/verifiers/verifier.ts'
import { needsOpenssl, openssl } from '../support/openssl.ts'
import { temporaryDirectories } from '../support/temporary.ts'
import { citizen } from '../support/tokens.ts'

/** After whatever is made here, on a machine that is busy. */
const now = Date.now() + 600_000
const claim: Claim = {
  ...{ attempt: 'attempt-1', channel: 'web', locale: 'zh', largeType: false, purpose: '社保查询', now },
}
const macs = () => [createSoftwareMac(Buffer.alloc(32, 1))] as const
const distinguisher = 'distid:1234567812345678'

const kinds = {
  sm2: { key: ['EC', 'ec_paramgen_curve:SM2'], hash: '-sm3', signing: ['-sigopt', distinguisher] },
  p256: { key: ['EC', 'ec_paramgen_curve:P-256'], hash: '-sha256', signing: [] },
  p384: { key: ['EC', 'ec_paramgen_curve:P-384'], hash: '-sha384', signing: [] },
  rsa: { key: ['RSA', 'rsa_keygen_bits:2048'], hash: '-sha256', signing: [] },
  pss: { key: ['RSA', 'rsa_keygen_bits:2048'], hash: '-sha256', signing: [] },
} as const

describe('the certificate verifier over what openssl makes', function () {
  this.timeout(30_000)
  const directories = temporaryDirectories()
  let at: (name: string) => string
  before(function () {
    needsOpenssl(this)
    const directory = directories()
    at = (name) => join(directory, name)
    writeFileSync(at('ca.cnf'), CONFIG(directory))
    writeFileSync(at('index.txt'), '')
    writeFileSync(at('crlnumber'), '01\n')
  })

  const CONFIG = (directory: string) =>
    `[req]\ndistinguished_name=none\n[none]\n[ca]\ndefault_ca=one\n[one]\ndatabase=${directory}/index.txt\n` +
    `crlnumber=${directory}/crlnumber\ndefault_md=sm3\ndefault_crl_days=7\n`

  /** A certificate of this subject, by the root or by itself. */
  function certify(name: string, kind: keyof typeof kinds, subject: string, root?: string): void {
    const [algorithm, option] = kinds[kind].key
    openssl('genpkey', '-algorithm', algorithm, '-pkeyopt', option, '-out', at(`${name}.key`))
    const usage = root
      ? [
          'basicConstraints=CA:FALSE',
          'keyUsage=critical,digitalSignature',
          'extendedKeyUsage=clientAuth,emailProtection',
        ]
      : ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
    const signer = root ? ['-CA', at(`${root}.pem`), '-CAkey', at(`${root}.key`)] : []
    const base = ['req', '-x509', '-new', '-utf8', '-config', at('ca.cnf'), '-days', '30', '-subj', subject]
    const added = usage.flatMap((one) => ['-addext', one])
    const files = ['-key', at(`${name}.key`), '-out', at(`${name}.pem`)]
    openssl(...base, ...files, '-sm3', '-sigopt', distinguisher, ...signer, ...added)
  }

  const base64 = (file: string) => openssl('x509', '-in', at(file)).replace(/-----[A-Z ]+-----|\s/g, '')

  function signature(name: string, kind: keyof typeof kinds, text: string): string {
    writeFileSync(at('text'), text)
    const { hash, signing } = kinds[kind]
    const padding = kind === 'pss' ? ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'] : []
    openssl('dgst', hash, '-sign', at(`${name}.key`), ...signing, ...padding, '-out', at('signature'), at('text'))
    return readFileSync(at('signature')).toString('base64')
  }

  const verifier = () => {
    const settings = structuredClone(loadConfig('config', {})) as unknown as { verifiers: Record<string, unknown> }
    settings.verifiers['certificate'] = {
      ...{ validity: 300, agent: 'http://127.0.0.1:1', breaker: { failures: 9, pause: 1 } },
      authorities: [
        {
          ...{ file: at('root.pem'), hardware: true, crl: { addresses: [at('root.crl')] } },
          subject: [
            { kind: 'resident-id-card', number: { from: 'subject:serialNumber' }, name: { from: 'subject:CN' } },
          ],
        },
      ],
    }
    return openCertificateVerifier(parseConfig(settings), macs)
  }

  const listNow = () =>
    openssl(
      ...['ca', '-config', at('ca.cnf'), '-keyfile', at('root.key'), '-cert', at('root.pem')],
      ...['-sigopt', distinguisher, '-gencrl', '-out', at('root.crl')],
    )

  it('takes each algorithm, and refuses each with a changed text, and a revoked certificate', async () => {
    certify('root', 'sm2', '/C=CN/CN=示例')
    listNow()
    const subject = `/C=CN/CN=${citizen.name}/serialNumber=${citizen.number}`
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
      certify(kind, kind, subject, 'root')
      const judge = async (sign: (text: string) => string) => {
        const one = verifier()
        const { show, keep } = await one.begin(claim, undefined)
        const text = String(show['text'])
        const answer = { text, certificate: base64(`${kind}.pem`), signature: sign(text) }
        const outcome = await one.finish(claim, keep, JSON.stringify(answer))
        return outcome.ok ? outcome.evidence.subject : outcome.detail
      }
      assert.deepEqual(await judge((text) => signature(kind, kind, text)), citizen, kind)
      assert.equal(await judge((text) => signature(kind, kind, `${text} `)), 'signature', kind)
      if (kind !== 'sm2') continue
      const command = ['ca', '-config', at('ca.cnf'), '-keyfile', at('root.key'), '-cert', at('root.pem')]
      openssl(...command, '-revoke', at('sm2.pem'))
      listNow()
      assert.equal(await judge((text) => signature(kind, kind, text)), 'revoked')
    }
  })

  it('takes a SignedData without attributes, with the text inside and without, and no other', async () => {
    certify('root', 'sm2', '/C=CN/CN=示例')
    writeFileSync(at('index.txt'), '')
    listNow()
    for (const kind of ['p256', 'rsa'] as const) {
      certify(kind, kind, `/C=CN/CN=${citizen.name}/serialNumber=${citizen.number}`, 'root')
      const judge = async (options: readonly string[], change = (text: string) => text) => {
        const one = verifier()
        const { show, keep } = await one.begin(claim, undefined)
        const text = String(show['text'])
        writeFileSync(at('text'), change(text))
        const signer = ['-signer', at(`${kind}.pem`), '-inkey', at(`${kind}.key`), '-md', 'sha256']
        const files = ['-in', at('text'), '-out', at('cms')]
        openssl('cms', '-sign', '-binary', '-outform', 'DER', ...signer, ...options, ...files)
        const signature = readFileSync(at('cms')).toString('base64')
        const outcome = await one.finish(claim, keep, JSON.stringify({ text, signature, format: 'pkcs7' }))
        return outcome.ok ? outcome.evidence.subject : outcome.detail
      }
      assert.deepEqual(await judge(['-noattr']), citizen)
      assert.deepEqual(await judge(['-noattr', '-nodetach']), citizen)
      assert.deepEqual(await judge(['-noattr', '-certfile', at('root.pem')]), citizen)
      assert.equal(await judge(['-noattr', '-nodetach'], (text) => `${text} `), 'malformed', 'of another text')
      assert.equal(await judge(['-noattr'], (text) => `${text} `), 'signature')
      for (const options of [[], ['-noattr', '-nocerts'], ['-noattr', '-keyid']])
        assert.equal(await judge(options), 'malformed')
    }
  })

  it('and the demo city’s certificates and list are good to openssl', async () => {
    const directory = directories()
    const tokens = await openTokens(directory)
    const again = await openTokens(directory)
    assert.ok(again.authority.certificate.equals(tokens.authority.certificate), 'made once')
    const root = join(directory, 'authority.pem')
    const text = randomBytes(8).toString('hex')
    /** `openssl verify -crl_check` has no identifier for a list, so its two parts are given to `dgst`. */
    const verified = (file: string, hash: readonly string[], data: Uint8Array, signature: Buffer) => {
      writeFileSync(at('demo.text'), data)
      writeFileSync(at('demo.signature'), signature)
      writeFileSync(at('demo.public'), openssl('x509', '-in', file, '-pubkey', '-noout'))
      const said = ['dgst', ...hash, '-verify', at('demo.public'), '-signature', at('demo.signature'), at('demo.text')]
      assert.match(openssl(...said), /Verified OK/)
    }
    const sm2 = ['-sm3', '-sigopt', distinguisher]
    const list = currentList(tokens, now)
    writeFileSync(at('demo.crl'), toPem(list, 'X509 CRL'))
    const listed = openssl('crl', '-in', at('demo.crl'), '-noout', '-text')
    const { signed, signature: listSignature } = readSigned(list)
    verified(root, sm2, signed, listSignature)
    for (const { holder, revoked, serial, certificate, key } of again.tokens) {
      writeFileSync(at('demo.pem'), toPem(certificate))
      assert.match(openssl('verify', '-CAfile', root, '-vfyopt', distinguisher, at('demo.pem')), /OK/, holder)
      assert.equal(listed.includes(serial.toString('hex').toUpperCase()), revoked, holder)
      verified(at('demo.pem'), key.kind === 'sm2' ? sm2 : ['-sha256'], Buffer.from(text), key.sign(Buffer.from(text)))
    }
  })
})
