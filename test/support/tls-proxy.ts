/** A reverse proxy that ends TLS with a self-signed certificate, as a city's gateway stands in front of the server. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TlsProxy {
  readonly url: string
  /** Where requests go from now on. */
  to(port: number): void
  close(): void
}

export async function startTlsProxy(): Promise<TlsProxy> {
  const directory = mkdtempSync(join(tmpdir(), 'yihao-tls-'))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...algorithm, ...subject, '-days', '2', '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  let target = 0
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (incoming, outgoing) => {
    const headers = { ...incoming.headers, 'x-forwarded-for': '198.51.100.7', 'x-forwarded-proto': 'https' }
    const options = { host: '127.0.0.1', port: target, method: incoming.method, path: incoming.url, headers }
    const forwarded = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    forwarded.on('error', () => outgoing.destroy())
    incoming.pipe(forwarded)
  })
  rmSync(directory, { recursive: true })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    to: (port) => void (target = port),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
