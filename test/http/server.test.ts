import { strict as assert } from 'node:assert'
import type { Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { createHttpServer, httpLimits } from '#src/http/server.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openWire, type Wire } from '../support/wire.ts'

/** The same server with less patience, so that the tests need none. */
const hasty = { ...httpLimits, headersTimeout: 200, requestTimeout: 400, keepAliveTimeout: 100, checkEvery: 50 }

describe('the HTTP server', () => {
  let server: TestServer
  let impatient: Server
  let wire: Wire
  let hastyWire: Wire
  let port: number

  const serve = async (limits: Parameters<typeof createHttpServer>[1]) => {
    const http = createHttpServer(server.app.handler, limits)
    await new Promise<void>((done) => http.listen(0, '127.0.0.1', done))
    return http
  }

  before(async () => {
    server = await startServer()
    impatient = await serve(hasty)
    port = (impatient.address() as AddressInfo).port
    wire = openWire(server.port)
    hastyWire = openWire(port)
  })
  after(async () => {
    wire.close()
    hastyWire.close()
    impatient.closeAllConnections()
    impatient.close()
    await server.close()
  })

  const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' }
  const own = () => ({ ...form, origin: server.url })

  /** Sends a byte each 40 ms, until the server hangs up; it would wait 10 s where its own patience did not count. */
  const trickle = (head: string, rest: string, patienceMs = 10_000) =>
    new Promise<{ text: string; took: number }>((done, fail) => {
      const started = performance.now()
      const socket = connect(port, '127.0.0.1', () => socket.write(head))
      let text = ''
      let at = 0
      const timer = setInterval(() => socket.write(rest[at++ % rest.length] ?? 'x'), 40)
      const end = () => {
        clearInterval(timer)
        clearTimeout(late)
        socket.destroy()
        done({ text, took: performance.now() - started })
      }
      const late = setTimeout(() => {
        clearInterval(timer)
        socket.destroy()
        fail(new Error('the server still waits'))
      }, patienceMs)
      socket.on('data', (part) => (text += part.toString('latin1')))
      socket.on('error', end)
      socket.on('close', end)
    })

  it('waits 10 s for headers and 15 s for a request at most', () => {
    const http = createHttpServer()
    assert.ok(http.headersTimeout > 0 && http.headersTimeout <= 10_000)
    assert.ok(http.requestTimeout > 0 && http.requestTimeout <= 15_000)
    assert.ok(http.keepAliveTimeout > 0 && http.keepAliveTimeout <= 5_000)
    assert.equal(http.maxConnections, 10_000)
    assert.ok(httpLimits.checkEvery <= 2_000)
  })

  it('answers 431 to headers over 16 kB, in one line or in many', async () => {
    for (const headers of [
      { cookie: 'a'.repeat(17_000) },
      Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`x-${at}`, 'a'.repeat(60)])),
    ]) {
      assert.equal((await wire.ask({ method: 'GET', path: '/', headers })).status, 431)
    }
    assert.equal((await wire.ask({ method: 'GET', path: `/?${'a'.repeat(17_000)}` })).status, 431)
    assert.equal((await wire.ask({ method: 'GET', path: '/', headers: { cookie: 'a'.repeat(15_000) } })).status, 200)
  })

  it('answers 413 to a body that is too large, at every kind of route', async () => {
    for (const path of ['/login/x/phone', '/token', '/par', '/introspect', '/session/end/confirm', '/nowhere', '/']) {
      for (const size of [60_000, 3_000_000]) {
        const { status, text } = await wire.ask({ method: 'POST', path, headers: own(), body: `a=${'1'.repeat(size)}` })
        assert.equal(status, 413, `${path} ${size}`)
        assert.match(text, /内容太长/)
      }
    }
    const { status } = await wire.ask({
      method: 'POST',
      path: '/login/x/phone',
      headers: own(),
      body: `a=${'1'.repeat(17_000)}`,
    })
    assert.equal(status, 413, 'a form of ours is smaller still')
  })

  it('reads no more of a body that does not say how large it is', async () => {
    const chunk = `1000\r\n${'1'.repeat(0x1000)}\r\n`
    for (const path of ['/token', '/login/x/phone']) {
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nOrigin: ${server.url}\r\nConnection: close\r\nContent-Type: ${form['content-type']}\r\nTransfer-Encoding: chunked\r\n\r\n`
      const { text } = await wire.raw(`${head}${chunk.repeat(40)}0\r\n\r\n`)
      assert.match(text, /^HTTP\/1\.1 4(00|13)/, path)
    }
  })

  it('lets a client go that never finishes its headers', async () => {
    const { text, took } = await trickle('GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', 'a')
    assert.match(text, /^HTTP\/1\.1 408/)
    assert.ok(took < 8_000, String(took))
  })

  it('lets a client go that says nothing at all, or idles between requests', async () => {
    const silent = await hastyWire.raw('', 9_000)
    assert.ok(silent.closed && silent.took < 8_000, String(silent.took))
    const idle = await hastyWire.raw('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n', 5_000)
    assert.match(idle.text, /^HTTP\/1\.1 200/)
    assert.ok(idle.closed && idle.took < 4_500, String(idle.took))
  })

  it('lets a client go that never finishes its body, at every kind of route', async () => {
    for (const path of ['/login/x/phone', '/token', '/health']) {
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nOrigin: ${server.url}\r\nContent-Type: ${form['content-type']}\r\nContent-Length: 1000\r\n\r\n`
      const { took } = await trickle(head, 'a')
      assert.ok(took < 8_000, `${path}: ${took}`)
    }
  })

  it('serves others while slow ones wait', async () => {
    let gone = 0
    const slow = Array.from({ length: 50 }, () => trickle('GET / HTTP/1.1\r\nX-Slow: ', 'a').then(() => (gone += 1)))
    const { status } = await hastyWire.ask({ method: 'GET', path: '/health' })
    assert.equal(status, 200)
    assert.ok(gone < 50, 'it waited for the slow ones')
    await Promise.all(slow)
  })

  it('takes no more connections than it was told', async () => {
    const few = await serve({ ...hasty, headersTimeout: 5_000, requestTimeout: 5_000, connections: 3 })
    const address = few.address() as AddressInfo
    const open = openWire(address.port)
    const held = [1, 2, 3].map(() => open.raw('GET / HTTP/1.1\r\n', 400))
    await new Promise((done) => setTimeout(done, 50))
    const fourth = await open.raw('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n', 400)
    assert.equal(fourth.text, '')
    assert.ok(fourth.closed)
    await Promise.all(held)
    open.close()
    few.closeAllConnections()
    few.close()
  })
})
