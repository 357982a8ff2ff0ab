/** Revocation lists as the certificate verifier gets, keeps and believes them. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { parseConfig, loadConfig, type Config } from '#src/config.ts'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { toPem } from '#src/demo/certificate-authority.ts'
import { isAppError } from '#src/errors.ts'
import { element, SEQUENCE } from '#src/jose/der.ts'
import { readCertificate } from '#src/jose/x509-certificate.ts'
import { createListSource, isCurrent, type ListSource } from '#src/verifiers/certificate/list-source.ts'
import { openCertificateVerifier } from '#src/verifiers/certificate/open.ts'
import { createRevocation } from '#src/verifiers/certificate/revocation.ts'
import type { Claim, Verifier } from '#src/verifiers/verifier.ts'
import { temporaryDirectories } from '../support/temporary.ts'
import { answerOf, testAuthority, type TestAuthority, type Token } from '../support/tokens.ts'

const now = Date.now()
const hour = 3_600_000
const root = await testAuthority(now)
const rootCertificate = readCertificate(root.certificate)
const [good, bad] = [await root.token(), await root.token()]

interface Made {
  readonly by?: TestAuthority
  readonly revoked?: readonly Token[]
  readonly thisUpdate?: number
  readonly nextUpdate?: number
  readonly number?: number
}

const listOf = ({
  by = root,
  revoked = [bad],
  thisUpdate = now - hour,
  nextUpdate = now + 24 * hour,
  number = 5,
}: Made = {}) =>
  by.revocationList({
    revoked: revoked.map(({ serial }) => ({ serial, at: now - 2 * hour })),
    ...{ thisUpdate, nextUpdate, number },
  })

const settled = () => new Promise((done) => setImmediate(done))

/** A source whose fetches are counted and answered by the newest word. */
function watched(first: Buffer | Error) {
  let word: Buffer | Error = first
  let fetches = 0
  const source = createListSource({
    async fetch() {
      fetches += 1
      await settled()
      if (word instanceof Error) throw word
      return word
    },
    refreshMs: hour,
  })
  return { source, says: (next: Buffer | Error) => void (word = next), fetches: () => fetches }
}

describe('a source of revocation lists', () => {
  const authorities = [rootCertificate]
  const numberOf = (source: ListSource, at = now) => source.known(authorities, at)?.list.number
  const loaded = async (source: ListSource, at = now) => {
    await source.load(authorities, at)
    return numberOf(source, at)
  }

  it('fetches once for all who ask at once', async () => {
    const { source, fetches } = watched(listOf())
    await Promise.all(Array.from({ length: 20 }, () => source.load(authorities, now)))
    assert.equal(fetches(), 1)
    assert.equal(numberOf(source), 5n)
  })

  it('keeps a list while it is fresh, and fetches the next in the background without making anybody wait', async () => {
    const { source, says, fetches } = watched(listOf())
    await loaded(source)
    says(listOf({ number: 6, thisUpdate: now }))
    for (let at = 0; at < 10; at += 1) assert.equal(numberOf(source, now + hour / 2), 5n)
    assert.equal(fetches(), 1)
    assert.equal(numberOf(source, now + hour), 5n)
    assert.equal(numberOf(source, now + hour), 5n, 'two at once fetch one')
    assert.equal(fetches(), 2)
    await settled()
    await settled()
    assert.equal(numberOf(source, now + hour), 6n)
  })

  it('goes on with the list it has while there is no other to be had, and tries now and then', async () => {
    const { source, says, fetches } = watched(listOf())
    await loaded(source)
    says(new Error('gone'))
    for (const minutes of [60, 60.5, 61, 61.5, 62]) {
      const held = source.known(authorities, now + minutes * 60_000)
      assert.ok(held && isCurrent(held, now + minutes * 60_000))
      await settled()
      await settled()
    }
    assert.equal(fetches(), 1 + 3)
    assert.ok(!isCurrent(source.known(authorities, now)!, now + 24 * hour), 'until its end')
  })

  it('never goes back to an older list, by number or by date', async () => {
    const { source, says } = watched(listOf({ number: 9 }))
    assert.equal(await loaded(source), 9n)
    for (const older of [
      { number: 8 },
      { number: 9, thisUpdate: now - 2 * hour },
      { number: 10, thisUpdate: now - 3 * hour },
    ]) {
      says(listOf(older))
      assert.equal(await loaded(source), 9n)
    }
    const other = await testAuthority(now, 'sm2', '另一家')
    says(listOf({ by: other, number: 1 }))
    await source.load([rootCertificate, readCertificate(other.certificate)], now)
    says(listOf({ number: 8 }))
    assert.notEqual(await loaded(source), 8n, 'nor by way of another authority')
    says(listOf({ number: 10, thisUpdate: now }))
    assert.equal(await loaded(source), 10n)
  })

  it('believes nothing that no authority of its own has signed, and nothing that is no list', async () => {
    const impostor = await testAuthority(now)
    const altered = listOf()
    altered[altered.length - 1] = (altered.at(-1) as number) ^ 1
    for (const word of [listOf({ by: impostor }), altered, root.certificate, Buffer.from('<html>'), Buffer.alloc(0)]) {
      const { source, says } = watched(word)
      assert.equal(await loaded(source), undefined)
      says(listOf())
      assert.equal(await loaded(source), 5n)
      says(word)
      assert.equal(await loaded(source), 5n)
    }
  })

  it('reads DER and PEM, and takes none that begins in the future', async () => {
    assert.equal(await loaded(watched(Buffer.from(toPem(listOf(), 'X509 CRL'))).source), 5n)
    const ahead = watched(listOf({ thisUpdate: now + hour })).source
    await loaded(ahead)
    assert.ok(!isCurrent(ahead.known(authorities, now)!, now))
  })
})

describe('whether a certificate still stands', () => {
  const path = (token: Token) => [readCertificate(token.certificate), rootCertificate]
  const standing = (
    fetch: () => Promise<Buffer>,
    { token = good, required = true, waitMs = 200, addresses = ['a'] } = {},
  ) =>
    createRevocation({
      ...{ trusted: [rootCertificate], addresses, hosts: [], required, waitMs },
      open: (address) =>
        createListSource({ fetch: address === 'dead' ? () => new Promise(() => {}) : fetch, refreshMs: hour }),
    }).standing(path(token), now)

  it('is good where a current list does not name it, and revoked where one does', async () => {
    assert.equal(await standing(async () => listOf()), 'good')
    assert.equal(await standing(async () => listOf(), { token: bad }), 'revoked')
    assert.equal(
      await standing(async () => listOf({ nextUpdate: now - 1 }), { token: bad }),
      'revoked',
      'by an old one too',
    )
  })

  it('is unknown without a list, or with one past its end; only a setting makes that good', async () => {
    const gone = async (): Promise<Buffer> => {
      throw new Error('gone')
    }
    assert.equal(await standing(gone), 'crl-unavailable')
    assert.equal(await standing(async () => listOf({ nextUpdate: now - 1 })), 'crl-stale')
    assert.equal(await standing(gone, { required: false }), 'good')
    assert.equal(await standing(async () => listOf(), { required: false, token: bad }), 'revoked')
  })

  it('waits for no dead address where another one has the list, and not for ever where none has', async () => {
    const started = performance.now()
    assert.equal(await standing(async () => listOf(), { addresses: ['dead', 'a'], waitMs: 100 }), 'good')
    assert.equal(await standing(async () => listOf(), { addresses: ['dead'], waitMs: 100 }), 'crl-unavailable')
    assert.ok(performance.now() - started < 1_000)
  })
})

describe('the certificate verifier of the settings', () => {
  const directory = temporaryDirectories()
  const macs = () => [createSoftwareMac(Buffer.alloc(32, 1))] as const
  let server: Server
  let address: string
  let serve: () => Buffer | number
  const asked: string[] = []
  before(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? '')
      const answer = serve()
      if (typeof answer === 'number') response.writeHead(answer).end()
      else response.end(answer)
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    address = `http://localhost:${(server.address() as AddressInfo).port}`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  beforeEach(() => {
    serve = () => listOf()
    asked.length = 0
  })

  function configWith(crl: object, file = join(directory(), 'root.pem')): Config {
    writeFileSync(file, toPem(root.certificate))
    const settings = structuredClone(loadConfig('config', {})) as unknown as { verifiers: Record<string, unknown> }
    settings.verifiers['certificate'] = {
      ...{ validity: 300, agent: 'http://localhost:3004/token', breaker: { failures: 3, pause: 30 } },
      authorities: [
        {
          ...{ file, hardware: true, crl },
          subject: [
            { kind: 'resident-id-card', number: { from: 'subject:serialNumber' }, name: { from: 'subject:CN' } },
          ],
        },
      ],
    }
    return parseConfig(settings)
  }

  const claim: Claim = {
    attempt: randomBytes(8).toString('hex'),
    channel: 'web',
    locale: 'zh',
    largeType: false,
    purpose: '社保查询',
    now,
  }
  const judged = (config: Config, token: Token) => judgedBy(openCertificateVerifier(config, macs), token)
  /** A token whose certificate says that its list is there. */
  const tokenListedAt = (path: string) => {
    const point = element(0xa0, element(0xa0, element(0x86, Buffer.from(`${address}${path}`))))
    return root.token({ extensions: [{ id: '2.5.29.31', value: element(SEQUENCE, element(SEQUENCE, point)) }] })
  }
  async function judgedBy(verifier: Verifier, token: Token): Promise<string> {
    const { show, keep } = await verifier.begin(claim, undefined)
    try {
      const outcome = await verifier.finish(claim, keep, answerOf(String(show['text']), token))
      return outcome.ok ? 'accepted' : (outcome.detail ?? outcome.reason)
    } catch (error) {
      assert.ok(isAppError(error, 'verifier_unavailable'))
      return String((error as { detail?: unknown }).detail)
    }
  }

  it('gets lists by http and from files', async () => {
    const config = configWith({ addresses: [`${address}/root.crl`] })
    assert.equal(await judged(config, good), 'accepted')
    assert.equal(await judged(config, bad), 'revoked')
    assert.deepEqual([...new Set(asked)], ['/root.crl'])
    const file = join(directory(), 'root.crl')
    writeFileSync(file, listOf())
    assert.equal(await judged(configWith({ addresses: [file] }), bad), 'revoked')
    assert.equal(
      await judged(configWith({ addresses: [join(directory(), 'none')] }), good),
      'certificate: crl-unavailable',
    )
  })

  it('opens nothing where the address fails, lies, or answers too much', async () => {
    for (const answer of [500, 404, Buffer.from('x'), Buffer.alloc(2_000)]) {
      serve = () => answer
      const config = configWith({ addresses: [`${address}/root.crl`], maxBytes: 1_024 })
      assert.equal(await judged(config, good), 'certificate: crl-unavailable')
    }
    serve = () => listOf({ nextUpdate: now - 1 })
    assert.equal(await judged(configWith({ addresses: [`${address}/root.crl`] }), good), 'certificate: crl-stale')
  })

  it('follows the address in a certificate to hosts alone that the settings name', async () => {
    const token = await tokenListedAt('/own.crl')
    const none = configWith({ addresses: [`${address}/root.crl`], hosts: ['crl.example.gov.cn'] })
    assert.equal(await judged(none, token), 'accepted')
    assert.ok(!asked.includes('/own.crl'))
    assert.equal(await judged(configWith({ addresses: [], hosts: [new URL(address).host] }), token), 'accepted')
    assert.ok(asked.includes('/own.crl'))
  })

  it('leaves the lists of one authority alone that cannot be had, without hiding the others', async () => {
    const second = await testAuthority(now)
    const other = await second.token()
    const file = join(directory(), 'second.pem')
    writeFileSync(file, toPem(second.certificate))
    serve = () => (asked.at(-1) === '/second.crl' ? 500 : listOf())
    const settings = structuredClone(configWith({ addresses: [`${address}/root.crl`] })) as unknown as {
      verifiers: { certificate: { authorities: object[] } }
    }
    const { authorities } = settings.verifiers.certificate
    authorities.push({ ...authorities[0], file, crl: { addresses: [`${address}/second.crl`] } })
    const verifier = openCertificateVerifier(parseConfig(settings), macs)
    for (let failed = 0; failed < 3; failed += 1)
      assert.equal(await judgedBy(verifier, other), 'certificate: crl-unavailable')
    asked.length = 0
    assert.equal(await judgedBy(verifier, other), 'certificate: its lists are left alone for a while')
    assert.ok(!asked.includes('/second.crl'), 'nobody waits for it')
    assert.equal(await judgedBy(verifier, good), 'accepted')
    assert.equal(await judgedBy(verifier, bad), 'revoked')
    assert.equal(verifier.down?.(), false)
  })

  it('turns away nobody whose list is at hand, though another of the same authority cannot be had', async () => {
    serve = () => (asked.at(-1) === '/lost.crl' ? 500 : listOf())
    const [fine, lost] = [await tokenListedAt('/own.crl'), await tokenListedAt('/lost.crl')]
    const config = configWith({ addresses: [], hosts: [new URL(address).host] })
    const verifier = openCertificateVerifier(config, macs)
    assert.equal(await judgedBy(verifier, fine), 'accepted')
    for (let failed = 0; failed < 3; failed += 1)
      assert.equal(await judgedBy(verifier, lost), 'certificate: crl-unavailable')
    assert.equal(await judgedBy(verifier, lost), 'certificate: its lists are left alone for a while')
    assert.equal(await judgedBy(verifier, fine), 'accepted')
  })

  it('hides itself where the lists of no authority can be had', async () => {
    serve = () => 500
    const verifier = openCertificateVerifier(configWith({ addresses: [`${address}/root.crl`] }), macs)
    for (let failed = 0; failed < 3; failed += 1) {
      assert.equal(verifier.down?.(), false)
      assert.equal(await judgedBy(verifier, good), 'certificate: crl-unavailable')
    }
    assert.equal(verifier.down?.(), true)
  })

  it('is refused where a setting makes no sense, with what to do', () => {
    const file = join(directory(), 'root.pem')
    const refused = (change: (authority: Record<string, unknown>) => void, why: RegExp) => {
      const settings = structuredClone(configWith({ addresses: ['a.crl'] }, file)) as unknown as {
        verifiers: { certificate: { authorities: Record<string, unknown>[] } }
      }
      change(settings.verifiers.certificate.authorities[0]!)
      assert.throws(
        () => parseConfig(settings),
        (error) => isAppError(error, 'config_invalid') && why.test(String(error.detail)),
      )
    }
    const subject = (pattern: string) => [
      { kind: 'passport', number: { from: 'subject:OU', pattern }, name: { from: 'subject:CN' } },
    ]
    refused((one) => (one['crl'] = { addresses: [] }), /crl\.addresses: is empty/)
    refused((one) => Object.assign(one, { hardware: false, level: 4 }), /level: may be 4 only where hardware/)
    for (const pattern of [
      '(?<value>a+)+$',
      '((?<value>x)y*)*',
      '(?<value>.)\\1',
      '(',
      'a',
      'a*b*c*d*(?<value>e)',
      '(?<value>(x|y){9})',
    ])
      refused((one) => (one['subject'] = subject(pattern)), /pattern: must be a regular expression/)
    refused(
      (one) => (one['subject'] = [{ kind: 'passport', number: { from: 'CN' }, name: { from: 'subject:CN' } }]),
      /from: must be such as/,
    )
    writeFileSync(file, 'not PEM')
    const broken = configWith({ addresses: ['a.crl'] })
    writeFileSync(broken.verifiers.certificate!.authorities[0]!.file, 'not PEM')
    assert.throws(
      () => openCertificateVerifier(broken, macs),
      (error) => isAppError(error, 'config_invalid'),
    )
  })
})
