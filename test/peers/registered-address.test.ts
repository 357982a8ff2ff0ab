import { strict as assert } from 'node:assert'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import { isSpecialAddress, postForm } from '#src/peers/registered-address.ts'

const none = { internalHosts: [], timeoutMs: 2000 }
const inside = { internalHosts: ['localhost'], timeoutMs: 2000 }

const listening = (server: Pick<Server, 'listen' | 'address'>): Promise<number> =>
  new Promise((done) => server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port)))

describe('A POST to an address an application registered', () => {
  const seen: { method: string; path: string; type: string; body: string }[] = []
  let answer: (request: IncomingMessage) => [number, Record<string, string>] = () => [200, {}]
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      seen.push({
        method: request.method ?? '',
        path: request.url ?? '',
        type: request.headers['content-type'] ?? '',
        body,
      })
      response.writeHead(...answer(request)).end('answer')
    })
  })
  let port = 0
  before(async () => {
    port = await listening(server)
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  beforeEach(() => {
    seen.length = 0
    answer = () => [200, {}]
  })

  it('carries the form and gives the status', async () => {
    answer = () => [204, {}]
    assert.equal(await postForm(`http://localhost:${port}/a?b=1`, { t: '值 &=' }, inside), 204)
    assert.deepEqual(seen, [
      { method: 'POST', path: '/a?b=1', type: 'application/x-www-form-urlencoded', body: 't=%E5%80%BC+%26%3D' },
    ])
    answer = () => [500, {}]
    assert.equal(await postForm(`http://localhost:${port}/`, {}, inside), 500)
  })

  it('follows no redirect', async () => {
    answer = ({ url }) => (url === '/' ? [307, { location: `http://localhost:${port}/inner` }] : [200, {}])
    assert.equal(await postForm(`http://localhost:${port}/`, {}, inside), 307)
    assert.deepEqual(
      seen.map(({ path }) => path),
      ['/'],
    )
  })

  it('waits no longer than it is told, whether the other side is silent or drips', async () => {
    for (const drip of [false, true]) {
      const slow = createTcpServer((socket) => {
        socket.on('error', () => undefined)
        if (drip) socket.write('HTTP/1.1 200 OK\r\nslow: ')
        const timer = setInterval(() => drip && socket.write('a'), 20)
        socket.on('close', () => clearInterval(timer))
        socket.unref()
        timer.unref()
      })
      const at = await listening(slow as unknown as Server)
      const begun = performance.now()
      await assert.rejects(postForm(`http://localhost:${at}/`, {}, { ...inside, timeoutMs: 150 }))
      const waited = performance.now() - begun
      assert.ok(waited > 100 && waited < 1500, `${waited} ms`)
      slow.close()
    }
  })

  it('does not wait for the body of an answer', async () => {
    const endless = createServer((_request, response) => {
      response.writeHead(200)
      response.write('x'.repeat(1000))
    })
    const at = await listening(endless)
    assert.equal(await postForm(`http://localhost:${at}/`, {}, inside), 200)
    endless.closeAllConnections()
    endless.close()
  })

  it('fails where nothing listens', async () => {
    const closed = createServer()
    const at = await listening(closed)
    await new Promise((done) => closed.close(done))
    await assert.rejects(postForm(`http://localhost:${at}/`, {}, inside), /ECONNREFUSED/)
  })

  describe('is never turned against our own network', () => {
    it('speaks no plain http but to hosts that the settings name', async () => {
      for (const target of ['http://example.gov.cn/', 'http://8.8.8.8/', `http://localhost:${port}/`])
        await assert.rejects(postForm(target, {}, none), /not https/)
      for (const target of ['ftp://localhost/', 'file:///etc/passwd', 'data:text/plain,a'])
        await assert.rejects(postForm(target, {}, inside), /not https/)
    })

    const literals = [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f.0.0.1',
      '10.1.2.3',
      '172.16.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[::ffff:10.0.0.1]',
      '[::127.0.0.1]',
      '[fd00::1]',
      '[fe80::1]',
      '[fec0::1]',
      '[ff02::1]',
      '[64:ff9b::7f00:1]',
      '[64:ff9b:1::a00:1]',
      '[2002:7f00:1::]',
      '[2001:0:7f00:1::]',
    ]
    for (const host of literals)
      it(`refuses https://${host}`, () => assert.rejects(postForm(`https://${host}/`, {}, none), /private/))

    it('knows public addresses as such', () => {
      for (const address of ['8.8.8.8', '114.114.114.114', '172.32.0.1', '2400:3200::1', '2001:4860:4860::8888'])
        assert.equal(isSpecialAddress(address), false, address)
      for (const text of ['', 'localhost', 'fe80::1%eth0', '1.2.3']) assert.equal(isSpecialAddress(text), true, text)
    })

    it('refuses a name that leads to our own machine, also with a dot at its end', async () => {
      for (const host of ['localhost', 'LOCALHOST'])
        await assert.rejects(postForm(`https://${host}:${port}/`, {}, none), /no public address/)
      // Not every resolver knows it with a dot; none may lead anywhere.
      await assert.rejects(postForm(`https://localhost.:${port}/`, {}, inside), /no public address|ENOTFOUND/)
      assert.equal(seen.length, 0)
    })

    it('asks the name once, where the connection is made, so that a second answer cannot differ', async () => {
      const { lookup } = dns
      const asked: string[] = []
      const fake = (name: string, _options: unknown, done: (error: null, found: object[]) => void) => {
        asked.push(name)
        done(null, asked.length === 1 ? [{ address: '10.0.0.1', family: 4 }] : [{ address: '8.8.8.8', family: 4 }])
      }
      Object.assign(dns, { lookup: fake })
      syncBuiltinESMExports()
      try {
        await assert.rejects(postForm('https://rebinding.example/', {}, none), /no public address/)
        assert.deepEqual(asked, ['rebinding.example'])
      } finally {
        Object.assign(dns, { lookup })
        syncBuiltinESMExports()
      }
    })

    it('takes only the public ones of several addresses of a name', async () => {
      const { lookup } = dns
      const found = ['10.0.0.1', '::1', '192.0.2.1'].map((address) => ({
        address,
        family: address.includes(':') ? 6 : 4,
      }))
      const fake = (_name: string, _options: unknown, done: (error: null, all: object[]) => void) => done(null, found)
      Object.assign(dns, { lookup: fake })
      syncBuiltinESMExports()
      try {
        await assert.rejects(postForm('https://mixed.example/', {}, none), /no public address/)
      } finally {
        Object.assign(dns, { lookup })
        syncBuiltinESMExports()
      }
    })

    it('opens a named host only, and where a port is named only that', async () => {
      const at = (...internalHosts: string[]) => postForm(`http://localhost:${port}/`, {}, { ...none, internalHosts })
      assert.equal(await at('other', `LOCALHOST:${port}`), 200)
      await assert.rejects(at('localhost:1'), /not https/)
      await assert.rejects(at('host'), /not https/)
      await assert.rejects(
        postForm('https://localhost:443/', {}, { ...none, internalHosts: ['localhost:443'] }),
        /ECONNREFUSED/,
      )
    })
  })
})
