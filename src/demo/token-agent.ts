/**
 * The signing agent of the demo city, which a city would install on citizens' machines: it signs with the token that is
 * plugged in, for pages of the issuer alone, and only what such a page may ask. Here the token is chosen on a page
 * instead of being plugged in, and its PIN is taken as entered. The protocol: `src/verifiers/certificate/README.md`.
 */
import express, { Router, type RequestHandler } from 'express'
import { demoDocument, escaped } from './page.ts'
import { currentList, type Tokens } from './tokens.ts'

/** How every text begins that signs somebody in. */
const domain = 'YIHAO-CERTIFICATE-SIGN-IN-1\n'

const kinds = { sm2: 'SM2', ec: 'ECDSA P-256', rsa: 'RSA 2048' } as const

function page({ tokens }: Tokens, plugged: string | undefined): string {
  const rows = tokens.map(({ holder, name, key, revoked }) => {
    const about = `${name} · ${kinds[key.kind]}${revoked ? ' · 已吊销 revoked' : ''}`
    return `<p><label><input type="radio" name="token" value="${escaped(holder)}"${plugged === holder ? ' checked' : ''}> ${escaped(about)}</label></p>`
  })
  return demoDocument(
    '演示UKey',
    `<h1>演示UKey</h1><p class="sub">The demo UKey · 选中的就是插着的 the chosen one is plugged in</p>
     <form method="post" action="">${rows.join('')}
     <p><label><input type="radio" name="token" value=""${plugged === undefined ? ' checked' : ''}> 没有插 none</label></p>
     <p><button class="do" type="submit">插上 Plug in</button></p></form>`,
  )
}

/** Pages of the issuer, and of nobody else, may ask (CORS; Private Network Access where the issuer is on the internet). */
const forIssuer =
  (issuer: string): RequestHandler =>
  (request, response, next) => {
    response.setHeader('vary', 'origin')
    if (request.get('origin') !== issuer) return void response.status(403).json({ error: 'origin' })
    response.setHeader('access-control-allow-origin', issuer)
    if (request.method !== 'OPTIONS') return next()
    response.setHeader('access-control-allow-methods', 'POST')
    response.setHeader('access-control-allow-headers', 'content-type')
    response.setHeader('access-control-allow-private-network', 'true')
    response.status(204).end()
  }

export function createTokenAgent(issuer: string, tokens: Tokens, now: () => number = Date.now): Router {
  const router = Router()
  let plugged: string | undefined = tokens.tokens[0]?.holder

  router.get('/', (_request, response) => void response.type('html').send(page(tokens, plugged)))
  router.post('/', express.urlencoded({ extended: false, limit: '1kb' }), (request, response) => {
    const { token } = request.body as { readonly token?: unknown }
    plugged = tokens.tokens.find(({ holder }) => holder === token)?.holder
    response.redirect(303, request.originalUrl)
  })

  router.get('/authority.crl', (_request, response) => {
    response.type('application/pkix-crl').send(currentList(tokens, now()))
  })

  router.use('/sign', forIssuer(issuer))
  router.post('/sign', express.json({ limit: '8kb' }), (request, response) => {
    const { text } = (request.body ?? {}) as { readonly text?: unknown }
    // What a window would show is for the page's own site, or it is not signed.
    const isSignIn = typeof text === 'string' && text.startsWith(domain) && text.includes(`\n网站 Site: ${issuer}\n`)
    if (!isSignIn) return void response.status(400).json({ error: 'text' })
    const token = tokens.tokens.find(({ holder }) => holder === plugged)
    if (!token) return void response.status(409).json({ error: 'no-token' })
    response.json({
      certificate: token.certificate.toString('base64'),
      chain: [],
      signature: token.key.sign(Buffer.from(text)).toString('base64'),
    })
  })
  return router
}
