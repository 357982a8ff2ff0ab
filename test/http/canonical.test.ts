import { strict as assert } from 'node:assert'
import { canonicalHost } from '#src/http/canonical.ts'
import { rememberVisit, visitOf } from '#src/http/visit.ts'
import { startServer } from '../support/app.ts'
import { serve, type Web } from '../support/web.ts'

const issuer = 'https://id.example.gov.cn:8443'
const ours = { host: 'id.example.gov.cn:8443', proto: 'https', originalUrl: '/a/b?c=1', url: '/b?c=1', mount: '/a' }

async function echo(trustedProxies: readonly string[]): Promise<Web> {
  return serve((app) => {
    app.set('trust proxy', [...trustedProxies])
    app.use(canonicalHost(issuer), rememberVisit({ secure: true }))
    app.use('/a', (request, response) => {
      const { headers, url, originalUrl, baseUrl } = request
      const left = Object.keys(headers).filter((name) => /^forwarded|^x-forwarded-(?!proto)/.test(name))
      const { address } = visitOf(request)
      response.json({
        host: headers.host,
        proto: headers['x-forwarded-proto'],
        url,
        originalUrl,
        mount: baseUrl,
        left,
        address,
        ip: request.ip,
      })
    })
  })
}
const body = (answer: string) => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>

const forged = [
  'Host: evil.example',
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Proto: gopher',
  'X-Forwarded-Port: 1',
  'X-Forwarded-Server: evil',
  'X-Forwarded-Prefix: /evil',
  'Forwarded: for=6.6.6.6;host=evil.example;proto=http',
  'X-Forwarded-For: 6.6.6.6, 7.7.7.7',
]

describe('Host, scheme and address of a request', () => {
  const direct = { left: [], address: '127.0.0.1', ip: '127.0.0.1' }
  let web: Web
  let proxied: Web
  before(async () => {
    web = await echo([])
    proxied = await echo(['127.0.0.1', '7.7.7.0/24'])
  })
  after(() => [web, proxied].forEach((one) => one.close()))

  it('are what the issuer says, whatever the headers say', async () => {
    assert.deepEqual(body(await web.raw('GET /a/b?c=1 HTTP/1.1', ...forged)), { ...ours, ...direct })
  })

  it('are what the issuer says, whatever host the target names', async () => {
    for (const target of [
      'http://evil.example/a/b?c=1',
      'HTTPS://evil.example:1/a/b?c=1',
      'ftp://u:p@evil.example/a/b?c=1',
    ])
      assert.deepEqual(body(await web.raw(`GET ${target} HTTP/1.1`, ...forged)), { ...ours, ...direct }, target)
  })

  it('know the address from a trusted proxy, through those it trusts, and from nobody else', async () => {
    const seen = async (one: Web, ...lines: string[]) =>
      body(await one.raw('GET /a/b?c=1 HTTP/1.1', 'Host: a', ...lines))['address']
    assert.equal(await seen(web, 'X-Forwarded-For: 6.6.6.6'), '127.0.0.1')
    assert.equal(await seen(proxied, 'X-Forwarded-For: 6.6.6.6'), '6.6.6.6')
    assert.equal(
      await seen(proxied, 'X-Forwarded-For: 5.5.5.5, 6.6.6.6, 7.7.7.7'),
      '6.6.6.6',
      'what the client wrote himself is not believed',
    )
    assert.equal(await seen(proxied, 'X-Real-IP: 6.6.6.6', 'Forwarded: for=6.6.6.6'), '127.0.0.1')
  })

  it('answers targets that are no path without falling over', async () => {
    for (const target of ['*', 'http://[/', 'evil.example:443', '//[', '/%ff', '/a/%E0%A4%A'])
      assert.match((await web.raw(`GET ${target} HTTP/1.1`, 'Host: a')).slice(0, 13), /^HTTP\/1\.1 [24]/, target)
  })

  it('never reach what the server says of itself', async () => {
    const server = await startServer()
    try {
      const http = new URL(server.url)
      const { connect } = await import('node:net')
      for (const target of [
        '/.well-known/openid-configuration',
        'http://evil.example/.well-known/openid-configuration',
      ]) {
        const answer = await new Promise<string>((done, fail) => {
          const lines = [`GET ${target} HTTP/1.1`, ...forged, 'Connection: close', '', '']
          const socket = connect(Number(http.port), '127.0.0.1', () => socket.write(lines.join('\r\n')))
          let text = ''
          socket.on('data', (part) => (text += part.toString()))
          socket.on('close', () => done(text))
          socket.on('error', fail)
        })
        assert.match(answer, /^HTTP\/1\.1 200/)
        assert.ok(!answer.includes('evil'), answer)
        assert.equal(body(answer)['authorization_endpoint'], `${server.url}/auth`)
      }
    } finally {
      await server.close()
    }
  })
})
