/** The terminal agent in a process of its own: who may ask, what is answered, and what never leaves it. */
import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fakePhoto, fakeSam } from '#src/demo/fake-reader/sam.ts'
import { listenOnTcp } from '#src/demo/fake-reader/lines.ts'
import { needsOpenssl, openssl } from '../../support/openssl.ts'
import { temporaryDirectories } from '../../support/temporary.ts'
import { issuer, startTerminalAgent, type TerminalAgent } from '../../support/terminal-agent.ts'

interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const asked = { nonce: 'n0nce-of-the-server-0123456789', attempt: 'a1b2c3' }
const text = Buffer.alloc(256, 'synthetic text. ')

describe('a terminal agent', function () {
  const newDirectory = temporaryDirectories()
  let agent: TerminalAgent
  let directory: string

  before(async () => {
    directory = newDirectory()
    agent = await startTerminalAgent({ directory })
    await until('ready', false)
  })
  after(() => agent.close())
  afterEach(async () => {
    agent.fake.lift()
    await until('ready', false)
  })

  /** With node:http, since fetch does not let a test choose Host and Origin. */
  const ask = (method: string, path: string, headers: object, body?: string, leave?: AbortSignal): Promise<Answered> =>
    new Promise((done, fail) => {
      const options = { method, headers: { ...headers }, ...(leave ? { signal: leave } : {}) }
      const sent = request(new URL(path, agent.url), options, (response) => {
        let said = ''
        response.setEncoding('utf8').on('data', (part: string) => (said += part))
        response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body: said }))
      })
      sent.on('error', fail)
      sent.end(body)
    })
  const page = { origin: issuer, 'content-type': 'application/json' }
  const askReading = (headers: object = page, body: unknown = asked) =>
    ask('POST', '/reading', headers, JSON.stringify(body))
  const state = async () => JSON.parse((await ask('GET', '/state', { origin: issuer })).body) as object
  const until = async (reader: string, card: boolean) => {
    for (let waited = 0; JSON.stringify(await state()) !== JSON.stringify({ reader, card }); waited += 30) {
      assert.ok(waited < 6_000, `${reader} ${card}`)
      await pause(30)
    }
  }
  const refusedWith = ({ status, body }: Answered, code: number, error: string) => {
    assert.deepEqual([status, JSON.parse(body)], [code, { error }])
  }
  const partsOf = ({ body }: Answered) => {
    const { reading } = JSON.parse(body) as { reading: string }
    const [header = '', payload = '', signature = ''] = reading.split('.')
    const json = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
    return { header: json(header), payload: json(payload), signed: `${header}.${payload}`, signature }
  }

  it('gives a page of the issuer the card’s text, signed, and nothing else', async () => {
    const waiting = askReading()
    await pause(100)
    agent.fake.place({ text })
    const answered = await waiting
    assert.equal(answered.status, 200)
    assert.equal(answered.headers['access-control-allow-origin'], issuer)
    assert.equal(answered.headers['cache-control'], 'no-store')
    const { header, payload } = partsOf(answered)
    const der = readFileSync(agent.certificate, 'utf8').replace(/-----[A-Z ]+-----|\s/g, '')
    assert.deepEqual(header, { alg: 'SGD_SM3_SM2', typ: 'yihao-card-reading+jws', x5c: [der] })
    const { readAt, ...rest } = payload
    const due = { ...asked, terminal: 'terminal-1', sam: fakeSam, text: text.toString('base64url') }
    assert.deepEqual(rest, due)
    assert.ok(Math.abs(Number(readAt) - Date.now() / 1000) < 5 && Number.isInteger(readAt))
  })

  it('signs so that openssl follows it from the reading to the root', async function () {
    needsOpenssl(this)
    agent.fake.place({ text })
    const { signed, signature, header } = partsOf(await askReading())
    const at = (name: string, content: string | Buffer) => {
      const file = join(directory, name)
      writeFileSync(file, content)
      return file
    }
    const [x5c] = header['x5c'] as [string]
    const certificate = at(
      'x5c.pem',
      `-----BEGIN CERTIFICATE-----\n${x5c.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    )
    const publicKey = at('public.pem', openssl('x509', '-in', certificate, '-noout', '-pubkey'))
    // r and s as positive INTEGERs of DER, by hand.
    const raw = Buffer.from(signature, 'base64url')
    assert.equal(raw.length, 64)
    const integer = (bytes: Buffer) => {
      let hex = bytes.toString('hex').replace(/^(00)+/, '')
      if (parseInt(hex.slice(0, 2), 16) >= 0x80) hex = `00${hex}`
      return Buffer.from(`02${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`, 'hex')
    }
    const both = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
    const signatureFile = at('signature.der', Buffer.concat([Buffer.of(0x30, both.length), both]))
    const check = [
      'dgst',
      '-sm3',
      '-verify',
      publicKey,
      '-sigopt',
      'distid:1234567812345678',
      '-signature',
      signatureFile,
    ]
    assert.match(openssl(...check, at('signed.txt', signed)), /Verified OK/)
    assert.throws(() => openssl(...check, at('other.txt', `${signed}x`)))
    const chain = ['verify', '-vfyopt', 'distid:1234567812345678', '-x509_strict', '-CAfile', agent.root, certificate]
    assert.match(openssl(...chain), /OK/)
  })

  it('refuses every origin but the issuer’s, and none at all', async () => {
    agent.fake.place({ text })
    const before = agent.fake.asked.length
    const foreign = [
      'https://id.test.example.evil',
      'http://id.test.example',
      'https://ID.test.example',
      'null',
      agent.url,
    ]
    for (const origin of foreign) {
      for (const path of ['/reading', '/state']) {
        const method = path === '/state' ? 'GET' : 'POST'
        const answered = await ask(
          method,
          path,
          { ...page, origin },
          method === 'POST' ? JSON.stringify(asked) : undefined,
        )
        refusedWith(answered, 403, 'foreign-origin')
        assert.equal(answered.headers['access-control-allow-origin'], undefined)
      }
    }
    refusedWith(await askReading({ 'content-type': 'application/json' }), 403, 'foreign-origin')
    refusedWith(
      await askReading({ 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }),
      403,
      'foreign-origin',
    )
    refusedWith(await ask('GET', '/state', {}), 403, 'foreign-origin')
    refusedWith(await ask('GET', '/state', { 'sec-fetch-site': 'cross-site' }), 403, 'foreign-origin')
    await pause(350)
    assert.ok(!agent.fake.asked.slice(before).includes('3001'), 'the card was read')
  })

  it('refuses what comes by another name (DNS rebinding)', async () => {
    const { port } = new URL(agent.url)
    for (const host of ['id.test.example', `rebound.example:${port}`, '127.0.0.1', '127.0.0.1:1', `0.0.0.0:${port}`]) {
      refusedWith(await askReading({ ...page, host }), 403, 'foreign-origin')
      refusedWith(await ask('GET', '/', { host }), 403, 'foreign-origin')
    }
  })

  it('answers the question beforehand to the issuer’s pages alone', async () => {
    const preflight = {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
      'access-control-request-private-network': 'true',
    }
    const { status, headers } = await ask('OPTIONS', '/reading', { ...preflight, origin: issuer })
    assert.equal(status, 204)
    assert.equal(headers['access-control-allow-origin'], issuer)
    assert.equal(headers['access-control-allow-headers'], 'content-type')
    assert.match(headers['access-control-allow-methods'] ?? '', /POST/)
    assert.equal(headers['access-control-allow-private-network'], 'true')
    assert.equal(headers['vary'], 'Origin')
    const other = await ask('OPTIONS', '/reading', { ...preflight, origin: 'https://elsewhere.example' })
    refusedWith(other, 403, 'foreign-origin')
    assert.deepEqual(
      Object.keys(other.headers).filter((name) => name.startsWith('access-control')),
      [],
    )
  })

  it('refuses what is no question, too long a one, and one that is never finished', async () => {
    for (const body of [
      {},
      { ...asked, more: 1 },
      { nonce: asked.nonce },
      { ...asked, nonce: 'short' },
      { ...asked, attempt: 'a b' },
    ])
      refusedWith(await askReading(page, body), 400, 'bad-request')
    refusedWith(await ask('POST', '/reading', page, '{'), 400, 'bad-request')
    refusedWith(await askReading({ origin: issuer, 'content-type': 'text/plain' }), 415, 'not-json')
    refusedWith(await askReading(page, { ...asked, attempt: 'a'.repeat(5_000) }), 413, 'too-large')
    refusedWith(await ask('PUT', '/reading', page), 405, 'method')
    refusedWith(await ask('GET', '/../config', { origin: issuer }), 404, 'not-found')
    for (const path of ['//', '//x:y', '/constructor', '/%', 'http://[']) {
      const { port } = new URL(agent.url)
      const odd = connect(Number(port), '127.0.0.1')
      odd.end(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
      const said = (await odd.setEncoding('utf8').toArray()).join('')
      assert.match(said, /^HTTP\/1\.1 40[04] /, path)
    }
    // One that hangs holds its place until it is let go, and no longer.
    const { port } = new URL(agent.url)
    const hanging = connect(Number(port), '127.0.0.1')
    hanging.write(
      `POST /reading HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${issuer}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`,
    )
    await pause(50)
    refusedWith(await askReading(), 409, 'busy')
    hanging.destroy()
    await pause(50)
    refusedWith(await askReading(), 409, 'no-card')
  })

  it('says that no card came, that one is busy, that a card cannot be read', async () => {
    const first = askReading()
    await pause(50)
    refusedWith(await askReading(), 409, 'busy')
    refusedWith(await first, 409, 'no-card')
    agent.fake.place({ text, damaged: true })
    refusedWith(await askReading(), 409, 'card-fault')
  })

  it('reads for nobody who has gone', async () => {
    const leaving = new AbortController()
    const left = ask('POST', '/reading', page, JSON.stringify(asked), leaving.signal)
    await pause(50)
    leaving.abort()
    await assert.rejects(left)
    await pause(50)
    const before = agent.fake.asked.length
    agent.fake.place({ text })
    await pause(400)
    assert.ok(!agent.fake.asked.slice(before).includes('3001'))
    assert.equal((await askReading()).status, 200)
  })

  it('says that the reader was pulled out in the middle, and reads when it is back', async () => {
    const { line } = agent
    const waiting = askReading()
    await pause(50)
    await line.close()
    refusedWith(await waiting, 409, 'no-reader')
    assert.deepEqual(await state(), { reader: 'absent', card: false })
    const back = await listenOnTcp(agent.fake, Number(new URL(line.address).port))
    Object.assign(line, { close: back.close })
    await until('ready', false)
    agent.fake.place({ text })
    assert.equal((await askReading()).status, 200)
  })

  it('shows a page under a policy that lets nothing in from elsewhere, and nothing of it personal', async () => {
    agent.fake.place({ text })
    await until('ready', true)
    for (const path of ['/', '/terminal.css', '/terminal.js']) {
      const { status, headers, body } = await ask('GET', path, {})
      assert.equal(status, 200)
      assert.match(
        String(headers['content-security-policy']),
        /^default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'/,
      )
      assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/)
      assert.equal(headers['access-control-allow-origin'], undefined)
      assert.doesNotMatch(body, /kiosk\./, 'a word is missing')
      assert.doesNotMatch(body.replaceAll('https://social.example/', ''), /https?:\/\/|@import|style="/)
    }
    assert.deepEqual(await state(), { reader: 'ready', card: true })
  })

  it('keeps photo, text and questions to itself: neither answers nor what it writes hold them', async () => {
    agent.fake.place({ text })
    const answered = await askReading()
    assert.equal(answered.status, 200)
    const everything = [
      answered.body,
      JSON.stringify(answered.headers),
      JSON.stringify(partsOf(answered)),
      agent.output(),
    ]
    const photo = fakePhoto.subarray(0, 48)
    const hidden = [photo.toString(), photo.toString('hex'), photo.toString('base64').slice(4, -4), 'FINGER-OF-NOBODY']
    for (const one of everything) for (const bytes of hidden) assert.ok(!one.includes(bytes), bytes)
    const decoded = Buffer.from(answered.body.split('.')[1] ?? '', 'base64url').toString()
    assert.ok(!decoded.includes(Buffer.from(photo).toString('base64url').slice(0, 20)))
    for (const secret of [asked.nonce, asked.attempt, 'synthetic', text.toString('base64url').slice(0, 30), fakeSam])
      assert.ok(!agent.output().includes(secret), secret)
    assert.ok(!agent.fake.asked.includes('3010'))
  })

  it('refuses settings with every fault they have, and keys that are not its own', async () => {
    const start = (settings: object, change: (at: string) => void = () => undefined) =>
      startTerminalAgent({ directory: newDirectory(), settings }).then(
        async (started) => {
          change(started.url)
          await started.close()
          return 'it started'
        },
        (error: Error) => error.message,
      )
    const said = await start({
      terminal: 'A b',
      issuer: 'http://id.test.example',
      reader: 'ttyUSB0',
      services: [],
      extra: 1,
    })
    for (const path of ['terminal:', 'issuer:', 'reader:', 'services:', '"extra" is not a setting'])
      assert.ok(said.includes(path), said)
    assert.match(said, /config_invalid/)
    const other = newDirectory()
    const stranger = await startTerminalAgent({ directory: other })
    await stranger.close()
    const key = join(other, 'device.key')
    assert.match(await start({ device: { key, certificates: agent.certificate } }), /not that of the device key/)
    execFileSync('chmod', ['644', key])
    assert.match(await start({ device: { key, certificates: stranger.certificate } }), /can be read by others/)
    assert.match(
      await start({ device: { key: join(other, 'no.key'), certificates: agent.certificate } }),
      /is not there/,
    )
  })
})
